"""What Kong's plugins that limit are configured to do."""
