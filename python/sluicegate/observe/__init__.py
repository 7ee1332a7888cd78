"""Who is told of decisions: hooks, metrics, traces."""
