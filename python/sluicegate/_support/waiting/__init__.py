"""Waiting in an event loop: bells, and a single timer."""
