"""``sluicegate check``: what a policy file says, and what it would do with one request."""
