"""Comparisons in words, for people who read what decided a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workflow.artifacts.claims_data import Axes, Comparison

_SHOWN = {
    "untrained": "untrained",
    "dense_natural": "natural dense",
    "dense_adversarial": "dense",
    "rst": "RST",
    "rtt_natural": "natural RTT",
    "rtt_adversarial": "adversarial RTT",
    "rtt_transferred": "transferred RTT",
    "finetuned_inherited": "fine-tuned RST, inherited",
    "finetuned_reinitialised": "fine-tuned RST, re-initialised",
}
_PREFIX = {
    "keep_ratio": "keep ",
    "trained_eps": "trained at eps ",
    "attack_eps": "attacked at eps ",
    "noise_eps": "noise ",
    "source_keep_ratio": "attacked through keep ",
    "source_model": "attacked through ",
    "switch": "R2S over ",
    "pretrained_on": "from ",
    "source_seed": "source of seed ",
}
_UNSAID = {"targets", "candidates"}


def shown(
    test: Comparison, times: float, context: dict[str, Any], resolve: Callable[[Any], Any]
) -> str:
    """A comparison in words: what, less what, where; ``resolve`` names the ratios of a range."""
    both = (test.of, test.minus)
    sides = [" + ".join(_words(side.given(), resolve) for side in several) for several in both]
    where = _words({k: v for k, v in context.items() if k != "model"}, resolve)
    factor = "" if times == 1 else f"{times:g} × "
    text = f"{sides[0]} − {factor}{sides[1]}" if sides[1] else sides[0]
    return f"{text} [{where}]" if where else text


def _words(axes: dict[str, Any], resolve: Callable[[Any], Any]) -> str:
    first = [_SHOWN[axes["model"]]] if axes.get("model") else []
    rest = [
        _PREFIX.get(name, "") + _value(resolve(axes[name]))
        for name in Axes.model_fields
        if name in axes and name != "model" and name not in _UNSAID
    ]
    return ", ".join(first + rest)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "{" + ", ".join(f"{v:g}" for v in value) + "}"
    if isinstance(value, float | int):
        return f"{value:g}"
    return _SHOWN.get(str(value), str(value))
