"""Which tier a request is limited by, what it costs, and the decision."""
