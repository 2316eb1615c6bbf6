"""Figures and their training curves, on made-up cells."""
