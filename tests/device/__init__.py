"""Precision, determinism, several processes."""
