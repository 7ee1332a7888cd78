"""Access logs: which format a file has, and what its lines say of clients, times and requests."""
