"""The paper's checkable statements as data: workflow/paper/claims.yaml as frozen objects.

A claim is a test on accuracies that a small vocabulary can express: which numbers of the tidy
frame are compared (:class:`Axes`), how (:class:`Comparison`, :class:`Order`), and at how many
places it must come out so (:class:`Quantified`). docs/claims.md explains it to people.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from rst_core.spec import Cell
from rst_core.vocabulary import Init, Pattern, SearchMethod
from workflow.config import ModelKind, TargetGroup
from workflow.matrix import Matrix

CLAIMS = Path(__file__).resolve().parents[1] / "paper" / "claims.yaml"


class ClaimsError(ValueError):
    """claims.yaml cannot be used; the message says why, one sentence a line."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Entry):
    """The keep ratios of a claim's experiments from one to another, both included."""

    lowest: float = Field(alias="from")
    highest: float = Field(alias="to")


class OfExperiment(_Entry):
    """The keep ratios of an experiment of the config, such as R2S's candidate set."""

    experiment: str


Ratios = tuple[float, ...] | Range | OfExperiment
#: A number, or one of the words that claims.yaml defines.
Amount = float | str


class Axes(_Entry):
    """Some axes of the tidy frame, by its column names; datasets and networks by their roles.

    Several keep ratios stand for the mean over them. ``switch`` is R2S's expectation over a
    candidate set: the mean over attackers and defenders of the transfer matrix [6.2]; a model
    that is no ticket does not switch.
    """

    model: ModelKind | None = None
    dataset: str | None = None
    network: str | None = None
    init: Init | None = None
    pattern: Pattern | None = None
    method: SearchMethod | None = None
    trained_eps: float | None = None
    pretrained_on: str | None = None
    keep_ratio: float | Ratios | None = None
    measure: Literal["robust", "natural", "feature_distance", "parameters", "parameters_kept"] = (
        "robust"
    )
    attack: str | None = None
    attack_eps: float | Literal["none"] | None = None
    noise_eps: float | None = None
    targets: TargetGroup | None = None
    source_model: ModelKind | None = None
    source_keep_ratio: float | Ratios | Literal["own"] | None = None
    source_seed: Literal["own", "other"] | None = None
    switch: tuple[float, ...] | OfExperiment | None = None
    candidates: tuple[float, ...] | OfExperiment | None = None

    def given(self) -> dict[str, Any]:
        """The axes that were written down."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


def _several(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Sides = Annotated[tuple[Axes, ...], BeforeValidator(_several)]


class Comparison(_Entry):
    """The sum of ``of`` less ``times`` the sum of ``minus``, against one or two bounds.

    Attributes:
        at: axes that all sides share.
        tolerance: a word; by how much a bound may be missed.
        paper: the paper's own value of the difference, where it prints one.
    """

    at: Axes = Axes()
    of: Sides
    minus: Sides = ()
    times: Amount = 1.0
    at_least: Amount | None = None
    at_most: Amount | None = None
    tolerance: str | None = None
    paper: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Comparison:
        if self.at_least is None and self.at_most is None:
            raise ValueError("has no bound; give at_least, at_most or both")
        return self

    def words(self) -> Iterator[str]:
        """The words that are used."""
        amounts = (self.times, self.at_least, self.at_most, self.tolerance)
        return (a for a in amounts if isinstance(a, str))


class Order(_Entry):
    """Every number is at least the next one."""

    at: Axes = Axes()
    order: Annotated[tuple[Axes, ...], Field(min_length=2)]
    tolerance: str | None = None

    def comparisons(self) -> tuple[Comparison, ...]:
        """The order as differences of neighbours."""
        return tuple(
            Comparison(at=self.at, of=(a,), minus=(b,), at_least=0.0, tolerance=self.tolerance)
            for a, b in zip(self.order, self.order[1:], strict=False)
        )

    def words(self) -> Iterator[str]:
        """The words that are used."""
        return iter([self.tolerance] if self.tolerance else [])


class Quantified(_Entry):
    """Tests at every place of a product of axes, and how many of all these must come out.

    A place at which a ticket would be attacked with its own images by ``source_keep_ratio`` is
    left out: attacker and defender differ.
    """

    quantifier: Literal["every", "most", "some"]
    over: dict[str, Range | OfExperiment | tuple[Any, ...]] = {}
    at: Axes = Axes()
    tests: Annotated[tuple[Test, ...], Field(min_length=1), BeforeValidator(_several)]

    @field_validator("over")
    @classmethod
    def _axes(cls, over: dict[str, Any]) -> dict[str, Any]:
        for axis, values in over.items():
            if axis not in Axes.model_fields:
                allowed = ", ".join(Axes.model_fields)
                raise ValueError(f"{axis!r} is no axis; allowed is one of {allowed}")
            for value in values if isinstance(values, tuple) else ():
                Axes.model_validate({axis: value})
        return over

    def wanted(self, places: int) -> int:
        """At how many of that many places the tests must come out."""
        return {"every": places, "most": places // 2 + 1, "some": 1}[self.quantifier]

    def words(self) -> Iterator[str]:
        """The words that are used."""
        return (word for test in self.tests for word in test.words())


def _kind_of_test(value: Any) -> str:
    keys = value if isinstance(value, dict) else type(value).model_fields
    return "quantified" if "quantifier" in keys else "order" if "order" in keys else "comparison"


Test = Annotated[
    Annotated[Comparison, Tag("comparison")]
    | Annotated[Order, Tag("order")]
    | Annotated[Quantified, Tag("quantified")],
    Discriminator(_kind_of_test),
]


class Claim(_Entry):
    """One statement of the paper, and its test on our cells.

    Attributes:
        rests_on: the figure, table or section of the paper that holds the statement's numbers.
        experiments: whose cells the test reads.
        remark: what a reader of the verdict should know about statement or test.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    section: str
    quote: str
    rests_on: str
    experiments: Annotated[tuple[str, ...], Field(min_length=1)]
    remark: str = ""
    unit: str = "points"
    test: Test


class Word(_Entry):
    """A word of the paper, such as "comparable", as a number, with the reason for it."""

    value: float
    reason: str


class NotJudged(_Entry):
    """A statement that has no test here, and why."""

    section: str
    quote: str
    why: str


class Claims(_Entry):
    """The whole of claims.yaml."""

    words: dict[str, Word]
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    not_judged: tuple[NotJudged, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Claims:
        names = [claim.id for claim in self.claims]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the id {name!r} occurs twice; an id may occur once only")
        for claim in self.claims:
            for word in claim.test.words():
                if word not in self.words:
                    allowed = ", ".join(self.words)
                    raise ValueError(f"{claim.id}: {word!r} is no word; allowed is {allowed}")
        return self

    def amount(self, amount: Amount | None) -> float:
        """A number as it is, a word as its number, nothing as 0."""
        return self.words[amount].value if isinstance(amount, str) else amount or 0.0


def read_claims(path: Path = CLAIMS) -> Claims:
    """Read and validate claims.yaml.

    Raises:
        ClaimsError: with a sentence for every problem.
    """
    try:
        return Claims.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ClaimsError(
            "\n".join(
                f"{path.name}: {'.'.join(map(str, e['loc']))}: {e['msg']}, found {e['input']!r:.80}"
                for e in error.errors()
            )
        ) from None


def ranges(value: Any) -> Iterator[Range]:
    """Every range of keep ratios in a test."""
    if isinstance(value, Range):
        yield value
    elif isinstance(value, BaseModel):
        yield from ranges(tuple(value.__dict__.values()))
    elif isinstance(value, dict | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from ranges(one)


def claim_cells(matrix: Matrix) -> list[Cell]:
    """The cells that the claims read, each once; experiments that the config lacks have none."""
    known = matrix.config.experiments
    named = dict.fromkeys(e for c in read_claims().claims for e in c.experiments if e in known)
    return list(dict.fromkeys(cell for e in named for cell in matrix.cells(e)))
