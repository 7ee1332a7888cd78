"""What the limiters cost, in ratios from one run: ``python -m benches.python``."""
