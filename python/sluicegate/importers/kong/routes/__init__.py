"""Which route of Kong gets a request, as patterns of a policy."""
