"""A policy's rules at work: which limits apply to a request, by which keys, in which stores."""
