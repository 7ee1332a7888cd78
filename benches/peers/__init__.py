"""sluicegate and the libraries a user would pick instead, on the same work: ``make bench``."""
