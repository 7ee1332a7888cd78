"""Limits of single endpoints, whatever the framework: `rate_limit`."""
