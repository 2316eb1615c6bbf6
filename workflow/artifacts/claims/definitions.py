"""workflow/paper/claims.yaml as frozen objects: statements, their tests, the words they use."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from rst_core.axes import AXES, METHOD_AXES, TICKETS, ModelKind
from rst_core.identity import Ticket
from workflow.config_attacks import TargetGroup

CLAIMS = Path(__file__).resolve().parents[2] / "paper" / "claims.yaml"
Form = Literal["of", "all", "any", "every", "consistently", "mostly", "some"]
FORMS = get_args(Form)
#: What only tickets have.
_OF_TICKETS = {axis.name for axis in AXES if axis.of is Ticket} | {"switch", "candidates"}


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OfExperiment(_Entry):
    """The keep ratios of an experiment of the config, such as R2S's candidate set."""

    experiment: str


Ratios = tuple[float, ...] | OfExperiment


_CHOSEN: dict[str, Any] = {axis.name: (axis.type | None, None) for axis in METHOD_AXES}
_Chosen = create_model("_Chosen", __base__=_Entry, **_CHOSEN)


class Axes(_Chosen):  # type: ignore[misc, valid-type]  # made of axes
    """Which number is meant, by columns of the tidy frame; datasets and networks by roles.

    Several keep ratios stand for the mean over them. ``switch`` is R2S's expectation over a
    candidate set against an attack on one of its tickets, ``candidates`` its mean accuracy
    against an attack on the whole set; the attack ``strongest`` is for each image the one that
    leaves the fewest tickets, of all attacks of the experiments r2s_stress and r2s_stress_seeds,
    and of a dense the one of r2s_stress_dense that fools it, if any.
    ``chance`` is a model that guesses, ``value`` a printed number.
    """

    model: ModelKind | Literal["chance"] | None = None
    dataset: str | None = None
    network: str | None = None
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
    source_keep_ratio: float | Literal["own"] | None = None
    source_seed: Literal["own", "other"] | None = None
    switch: Ratios | None = None
    candidates: Ratios | None = None
    value: float | None = None

    @model_validator(mode="after")
    def _possible(self) -> Axes:
        if self.model and self.model not in TICKETS and self.model_fields_set & _OF_TICKETS:
            raise ValueError(f"{self.model} has none of {', '.join(sorted(_OF_TICKETS))}")
        return self

    def given(self) -> dict[str, Any]:
        """The axes that were written down."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


Sides = Annotated[
    tuple[Axes, ...], BeforeValidator(lambda v: v if isinstance(v, list | tuple) else [v])
]
Places = dict[str, tuple[Any, ...] | OfExperiment]


class Test(_Entry):
    """A comparison, several tests of which all or any must come out, or one test at many places.

    A comparison is the sum of ``of`` less ``times`` the sum of ``minus``; it must keep the bounds
    of a word (``is``), or reach a number as the paper prints it (``by``, ``between``), less
    the slack *published*. Places are the product of the values of axes; ``other.`` before an axis
    sets it for ``minus`` only. ``at`` holds axes that all sides below share. In the file a form is
    a key: ``all: TESTS``, or ``every: PLACES`` beside ``test: TEST``.
    """

    form: Form
    at: Axes = Axes()
    of: Sides = ()
    minus: Sides = ()
    times: float | None = None
    word: str | None = Field(None, alias="is")
    by: float | None = None
    between: tuple[float, float] | None = None
    tests: tuple[Test, ...] = ()
    places: Places = {}

    @model_validator(mode="before")
    @classmethod
    def _one_form(cls, raw: dict[str, Any]) -> dict[str, Any]:
        forms = [form for form in FORMS if isinstance(raw, dict) and form in raw]
        if len(forms) != 1 or not raw.keys().isdisjoint({"form", "tests", "places"}):
            raise ValueError("needs exactly one of " + ", ".join(FORMS))
        (form,) = forms
        if form == "of":
            return raw | {"form": form}
        rest = {key: value for key, value in raw.items() if key != form} | {"form": form}
        if form in ("all", "any"):
            return rest | {"tests": raw[form]}
        below = [rest.pop("test", None)]
        return rest | {"places": raw[form], "tests": below}

    @model_validator(mode="after")
    def _possible(self) -> Test:
        if len(self.model_fields_set & {"word", "by", "between"}) != (self.form == "of"):
            raise ValueError("a comparison needs exactly one of is, by and between")
        if len(self.tests) < 2 and self.form in ("all", "any"):
            raise ValueError(f"{self.form} joins at least 2 tests")
        if self.form == "consistently" and not self.tests[0].of:
            raise ValueError("consistently is about one comparison")
        for axis, values in self.places.items():
            for value in values if isinstance(values, tuple) else ():
                Axes.model_validate({axis.removeprefix("other."): value})
        return self

    def comparisons(self) -> Iterator[Test]:
        """Every comparison in it."""
        yield from [self] if self.of else []
        for one in self.tests:
            yield from one.comparisons()


class Claim(_Entry):
    """One statement of the paper, or a question put to one of them, and its test."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    section: str
    quote: str
    rests_on: str
    remark: str = ""
    unit: str = "points"
    test: Test


class Word(_Entry):
    """A word of the paper as bounds on a comparison, with the reason for them."""

    times: float = 1.0
    at_least: float = float("-inf")
    at_most: float = float("inf")
    reason: str


class Claims(_Entry):
    """The whole of claims.yaml.

    Attributes:
        mostly: share of places that *mostly* asks for.
        published: by how much a printed number may be missed.
        not_judged: statements without a test: section, quotation and why.
        shared: anchors that several claims use.
    """

    error_rate: float
    mostly: float = Field(gt=0.5, lt=1)
    published: float
    words: dict[str, Word]
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    not_judged: tuple[dict[Literal["section", "quote", "why"], str], ...] = ()
    shared: Any = None

    @model_validator(mode="after")
    def _consistent(self) -> Claims:
        names = [claim.id for claim in self.claims]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"ids may occur once only, found twice: {', '.join(sorted(twice))}")
        for claim in self.claims:
            for unknown in {c.word for c in claim.test.comparisons()} - {None, *self.words}:
                allowed = ", ".join(self.words)
                raise ValueError(f"{claim.id}: {unknown!r} is no word; allowed is {allowed}")
        return self

    def bounds(self, comparison: Test) -> tuple[float, float]:
        """The least and the largest value of a comparison that comes out."""
        if comparison.word is not None:
            return self.words[comparison.word].at_least, self.words[comparison.word].at_most
        least, most = comparison.between or (comparison.by, float("inf"))
        assert least is not None
        return least - self.published, most + self.published

    def times(self, comparison: Test) -> float:
        """How many times the second side of a comparison counts."""
        word = self.words[comparison.word].times if comparison.word else 1.0
        return word if comparison.times is None else comparison.times


@cache
def read_claims(path: Path = CLAIMS) -> Claims:
    """Read and validate claims.yaml.

    Raises:
        ValueError: with what is wrong, and where.
    """
    return Claims.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
