"""Gates in a policy: tiers of several windows, and gates that are given."""
