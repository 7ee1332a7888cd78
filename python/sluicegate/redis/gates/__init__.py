"""What a gate in Redis is made of: its limits, and its verbs that block, wait or choose."""
