"""``sluicegate replay --policy``: what a policy's rules would have done to the requests of a log."""
