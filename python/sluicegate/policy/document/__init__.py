"""A policy in a file: read, checked with the line of every problem, and read again when it changes."""
