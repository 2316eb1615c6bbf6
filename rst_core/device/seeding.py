"""Random generators keyed by what they are for, so that nothing depends on call order."""

from __future__ import annotations

import hashlib

import torch


def derived_seed(*key: str | int) -> int:
    """A 63-bit seed determined by ``key`` alone, the same on every machine."""
    text = "\x1f".join(str(part) for part in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*key: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator on ``device``, seeded by ``key``."""
    return torch.Generator(device=device).manual_seed(derived_seed(*key))
