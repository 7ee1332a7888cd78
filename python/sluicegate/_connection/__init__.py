"""Settings and connections to Redis."""
