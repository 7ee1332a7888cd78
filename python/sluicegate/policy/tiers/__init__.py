"""The tiers of a policy: which there are, and which limiter counts each by which quota."""
