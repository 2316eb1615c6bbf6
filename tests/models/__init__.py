"""Masks, networks, inits, model files, foreign checkpoints, R2S."""
