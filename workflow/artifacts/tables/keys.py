"""How a table names its rows and columns; workflow/paper uses the same names.

A row is ``NETWORK/MODEL[@RATIO+RATIO…][/VARIANT…]``, such as ``resnet18/rst@0.05`` or
``resnet50/rst@0.4/eps2``; a column is ``DATASET/MEASURE[-epsE]``, such as ``cifar10/natural`` or
``cifar10/auto_attack-eps12``, or a count, such as ``parameters_m``. Names of networks and
datasets are roles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rst_core.axes import METHOD_AXES, Axis
from rst_core.forms import format_number


def variant(axis: Axis, value: Any) -> str:
    """How a row's key says what is not the paper's default: ``kernel``, ``fgsm_rs``, ``eps4``."""
    return str(value) if axis.words else f"{axis.field}{format_number(value)}"


def values_of(variants: Iterable[str]) -> dict[str, Any]:
    """What the variants of a row's key say, by the names of axes.

    Raises:
        ValueError: for a word that is a variant on no axis, or on several.
    """
    found: dict[str, Any] = {}
    for one in variants:
        values = {a.name: value for a in METHOD_AXES if (value := _value(a, one)) is not None}
        if len(values) != 1:
            allowed = ", ".join(axis.name for axis in METHOD_AXES)
            raise ValueError(f"{one!r} is no variant; allowed is a value of one of {allowed}")
        found |= values
    return found


def _value(axis: Axis, text: str) -> Any:
    if axis.words:
        return text if text in axis.words else None
    number = text.removeprefix(axis.field)
    return float(number) if number != text else None


@dataclass(frozen=True)
class RowKey:
    """A model, or a candidate set of models, over all seeds.

    Attributes:
        network: role of the network.
        model: ``dense``, a word for a model in config.yaml, or one of these with ``r2s``.
        keep_ratios: a ticket's, or those of a candidate set.
        variants: what differs from the paper's defaults: ``eps4``, ``kernel``, ``fgsm_rs``.
    """

    network: str
    model: str
    keep_ratios: tuple[float, ...] = ()
    variants: tuple[str, ...] = ()

    def __str__(self) -> str:
        ratios = "@" + "+".join(f"{k:g}" for k in self.keep_ratios) if self.keep_ratios else ""
        return "/".join([self.network, self.model + ratios, *self.variants])

    @classmethod
    def parse(cls, text: str) -> RowKey:
        """The key that formats to ``text``.

        Raises:
            ValueError: if there is none.
        """
        network, slash, rest = text.partition("/")
        model, *variants = rest.split("/")
        model, _, ratios = model.partition("@")
        if not slash or not model:
            raise ValueError(f"{text!r} names no row; allowed is NETWORK/MODEL[@RATIOS][/VARIANT]")
        found = tuple(float(k) for k in ratios.split("+")) if ratios else ()
        return cls(network, model, found, tuple(variants))

    @property
    def switches(self) -> bool:
        """Whether it is R2S over a candidate set."""
        return self.model.endswith("r2s")

    @property
    def kind(self) -> str:
        """The word for the model, or for a candidate set's members, in config.yaml."""
        words = {"dense": "dense_adversarial", "r2s": "rst"}
        return words.get(self.model, self.model.removesuffix("_r2s"))


@dataclass(frozen=True)
class ColumnKey:
    """What is measured, and on which dataset.

    Attributes:
        measure: ``natural``, ``robust`` (the experiment's own attack), the name of an attack, or
            a count.
        dataset: role of the dataset; None for a count.
        eps: the attack's size.
    """

    measure: str
    dataset: str | None = None
    eps: float | None = None

    def __str__(self) -> str:
        size = "" if self.eps is None else f"-eps{self.eps:g}"
        return f"{self.dataset}/{self.measure}{size}" if self.dataset else self.measure

    @classmethod
    def parse(cls, text: str) -> ColumnKey:
        """The key that formats to ``text``."""
        dataset, slash, measure = text.rpartition("/")
        measure, _, eps = measure.partition("-eps")
        return cls(measure, dataset if slash else None, float(eps) if eps else None)
