"""Where limits are counted that are given as numbers: in memory, in a zone or in Redis."""
