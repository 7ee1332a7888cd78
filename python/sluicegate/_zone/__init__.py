"""Where a zone is, and what fits it: light, and without the limiters in it."""
