"""Runs on real images: their configs, their cells, and the tables made of them."""
