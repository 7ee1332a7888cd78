"""A clock that the benchmark moves, for every library alike."""
