"""One adapter a library."""
