"""Attacks against closed answers on linear and tiny models."""
