"""Limits in Redis: checks a second and CPU a check, beside the libraries one would use instead."""
