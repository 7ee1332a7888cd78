"""What other programs limit, as a policy file: ``sluicegate import nginx nginx.conf``."""
