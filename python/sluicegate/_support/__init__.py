"""What several packages use."""
