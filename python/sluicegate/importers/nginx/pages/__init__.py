"""What a refused request is sent: statuses and error pages."""
