"""Fields of settings with their help and their range, each stated once."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import inf
from typing import Any


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``, with ``above`` and ``below`` without the ends."""

    low: float
    high: float = inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        """Whether ``value`` is one of them; NaN never is."""
        at_least = value > self.low if self.above else value >= self.low
        return at_least and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        if self.high == inf:
            return f"{'above' if self.above else 'from'} {self.low:,.12g}"
        low = f"above {self.low:,.12g}," if self.above else f"from {self.low:,.12g}"
        high = "below" if self.below else "up to" if self.above else "to"
        return f"{low} {high} {self.high:,.12g}"

    @property
    def bounds(self) -> dict[str, Any]:
        """As keywords of pydantic's ``Field``."""
        low, high = "gt" if self.above else "ge", "lt" if self.below else "le"
        return {low: self.low, high: self.high}


#: Seeds: what numpy and torch both take.
SEED = Range(0, 2**32 - 1)
#: Sizes of perturbations: 1/255 (L-infinity), or [0, 1] images (L2).
SIZE = Range(1e-6, 255)
#: Of a ticket's weights, in every layer.
KEEP_RATIO = Range(0, 1, above=True)
#: Numbers of images.
IMAGES = Range(1, 10_000_000)


def option(
    help_text: str, default: Any = ..., within: Range | None = None, each: Range | None = None
) -> Any:
    """A dataclass field with help and range, ``each`` being that of a tuple's numbers."""
    metadata: dict[str, Any] = {"description": help_text, "range": within or each}
    # Keywords of pydantic's Field, which it takes from here.
    metadata |= within.bounds if within else {}
    if default is ...:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def check_ranges(settings: Any) -> None:
    """Raise ``ValueError`` for a number outside its field's range."""
    for setting in fields(settings):
        value, within = getattr(settings, setting.name), setting.metadata.get("range")
        numbers = value if isinstance(value, tuple) else (value,)
        if within and not all(number is None or number in within for number in numbers):
            what = "numbers" if isinstance(value, tuple) else "a number"
            require(False, setting.name, value, f"{what} {within}")
        # Beside the numbers that it is used with such a one is 0, which nobody would write so.
        near = any(isinstance(n, float) and 0 < abs(n) < 1e-12 for n in numbers)
        require(not near, setting.name, value, "0, or a number from 1e-12")


def require(condition: bool, key: str, value: object, allowed: str) -> None:
    """Raise ``ValueError`` with what was found and what is allowed, unless ``condition``."""
    if not condition:
        # As it is typed: no names of our own classes.
        found = str(value) if isinstance(value, str) else value
        found = list(value) if isinstance(value, tuple) else found
        raise ValueError(f"{key} is {found!r}; allowed is {allowed}")


def bounds(settings: type, name: str) -> dict[str, Any]:
    """Help and range of a field as keywords of pydantic's ``Field``."""
    metadata = dict(next(f.metadata for f in fields(settings) if f.name == name))
    del metadata["range"]
    return metadata


def check_keep_ratio(value: float) -> None:
    """Raise ``ValueError`` unless ``value`` is a keep ratio."""
    require(value in KEEP_RATIO, "keep ratio", value, "a fraction in (0, 1], such as 0.05")
