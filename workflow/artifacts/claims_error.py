"""A difference between accuracies with its uncertainty from seeds and from test images.

Where every image's outcome is known on the same images, the difference is taken image by image
and seed by seed: d[s, x]. Its mean has two errors: over seeds, from the standard deviation of
the seeds' means, and over test images, from that of the images' means. They are added in
quadrature, which counts what is particular to an image in a seed twice and so errs on the large
side. Without outcomes, binomial errors are added as if numbers of one sign moved together and
those of opposite sign were independent: more than any pairing that helps a difference would give.

However alike the outcomes, the error over N images is at least one image, 100 / N points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from workflow.artifacts.claims_numbers import Number

#: A weight, and for every seed the numbers whose mean it weighs.
Term = tuple[float, Sequence[Sequence[Number]]]


@dataclass(frozen=True)
class Estimate:
    """A measured difference.

    Attributes:
        value: mean over seeds.
        seeds_error: standard error over seeds; None for a single seed, which cannot tell.
        images_error: standard error over test images.
        seeds: how many.
        images: how many the difference is taken over; the fewest, if they differ.
        paired: whether image by image.
    """

    value: float
    seeds_error: float | None
    images_error: float
    seeds: int
    images: int
    paired: bool

    def half_width(self, alpha: float) -> float:
        """How far the truth may lie to one side but for a chance of ``alpha``.

        The half-widths of seeds and of images, each with its own Student's t, in quadrature. One t
        for both, with the degrees of freedom of Welch and Satterthwaite, covers the truth in as
        few as 87 % of cases instead of 95 % when there are two seeds; this stays at 95 % and above.
        For one seed, of the images alone.
        """
        width = stats.t.ppf(1 - alpha, max(self.images - 1, 1)) * self.images_error
        if self.seeds_error is not None:
            width = np.hypot(width, stats.t.ppf(1 - alpha, self.seeds - 1) * self.seeds_error)
        return float(width)


def estimate(terms: Sequence[Term]) -> Estimate:
    """The weighted sum of the terms; every term has the same seeds in the same order."""
    by_seed = sum(
        weight * np.array([np.mean([n.value for n in numbers]) for numbers in seeds])
        for weight, seeds in terms
    )
    assert isinstance(by_seed, np.ndarray)
    images_error, paired = _paired_error(terms), True
    if images_error is None:
        images_error, paired = _unpaired_error(terms), False
    count = len(by_seed)
    return Estimate(
        value=float(by_seed.mean()),
        seeds_error=float(by_seed.std(ddof=1) / np.sqrt(count)) if count > 1 else None,
        images_error=images_error,
        seeds=count,
        images=min(n.total for _, seeds in terms for numbers in seeds for n in numbers),
        paired=paired,
    )


def _paired_error(terms: Sequence[Term]) -> float | None:
    """Standard error over images of the difference, image by image; None if that cannot be."""
    numbers = [n for _, seeds in terms for one in seeds for n in one]
    if len({n.total for n in numbers}) != 1 or numbers[0].total < 2:
        return None
    difference = np.zeros(numbers[0].total)
    for weight, seeds in terms:
        for one in seeds:
            for number in one:
                outcomes = number.outcomes()
                if outcomes is None:
                    return None
                difference += weight * 100 * outcomes / (len(one) * len(seeds))
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    return max(error, 100 / len(difference))


def _unpaired_error(terms: Sequence[Term]) -> float:
    """Standard error over images without knowing which outcomes belong together."""
    sides: dict[bool, float] = {True: 0.0, False: 0.0}
    for weight, seeds in terms:
        errors = [np.mean([_single_error(n) for n in one]) for one in seeds]
        sides[weight > 0] += abs(weight) * float(np.mean(errors))
    return float(np.hypot(sides[True], sides[False]))


def _single_error(number: Number) -> float:
    if number.deviation is not None:
        return number.deviation / float(np.sqrt(number.total))
    if number.total == 0:  # counted, not measured on images
        return 0.0
    share: Any = np.clip(number.value / 100, 0, 1)
    error = float(100 * np.sqrt(share * (1 - share) / number.total))
    return max(error, 100 / number.total)
