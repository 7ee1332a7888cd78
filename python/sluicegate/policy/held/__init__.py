"""What a request holds until it has been answered: permits, and reservations of a gate."""
