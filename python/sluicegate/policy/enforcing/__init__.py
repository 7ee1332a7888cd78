"""A policy at work: what its options stand for, and which limits apply to a request by its rules."""
