"""Artifacts on made-up cells: what holds of every table and figure."""
