"""config.yaml as frozen, validated objects. Raw dictionaries end here.

An unknown key, an unknown name, a value out of range, and an axis that nothing would use are
errors that name the key, the value and what is allowed, before any job starts.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from functools import cache
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from rst_core.forms import check_name, format_number
from rst_core.ranges import IMAGES, KEEP_RATIO, SEED, SIZE, Range, bounds
from rst_core.settings import (
    AttackSpec,
    DatasetSettings,
    NetworkSettings,
    TrainingSettings,
    uses,
)
from rst_core.vocabulary import (
    AttackMethod,
    Init,
    Norm,
    Pattern,
    ScoreInit,
    SearchMethod,
    Selection,
)
from workflow.config_checks import problems, unfit
from workflow.config_foreign import ForeignEntry
from workflow.config_sentences import line, plain, sentences
from workflow.config_yaml import ConfigError, read_yaml

__all__ = ["Config", "ConfigError", "read_config", "read_yaml"]

#: Models an experiment can ask for; see ``workflow.matrix`` for what each becomes.
ModelKind = Literal[
    "untrained",
    "dense_natural",
    "dense_adversarial",
    "rst",
    "rtt_natural",
    "rtt_adversarial",
    "rtt_transferred",
    "finetuned_inherited",
    "finetuned_reinitialised",
]
#: Groups of models on which one transfer row is evaluated; see ``workflow.matrix``.
TargetGroup = Literal["tickets", "tickets_and_dense", "other_seeds"]


def _path_number(value: float) -> float:
    try:
        format_number(value)
    except ValueError:
        raise ValueError(f"is {value!r}; allowed are at most six decimals") from None
    return value


def _name(value: str) -> str:
    try:
        check_name("a name", value)
    except ValueError:
        raise ValueError(
            "is no name; allowed are lower-case words joined by single underscores, such as "
            "resnet18_narrow"
        ) from None
    return value


KeepRatio = Annotated[float, Field(**KEEP_RATIO.bounds), AfterValidator(_path_number)]
Eps = Annotated[float, Field(**SIZE.bounds), AfterValidator(_path_number)]
Seed = Annotated[int, Field(**SEED.bounds)]
Line = Annotated[str, Field(max_length=200), AfterValidator(line)]
Label = Annotated[
    str,
    Field(min_length=1, max_length=60, description="name shown in tables and figures"),
    AfterValidator(line),
]
#: Names become folders.
Name = Annotated[str, Field(max_length=64), AfterValidator(_name)]
Sizes = Annotated[list[Eps], Field(min_length=1), Tag("array")]
_NoSize = Annotated[Literal["none"], Tag("string")]
#: Folders of the paper's own matrix in results/, which no other matrix may take.
_TAKEN = (
    "api", "benchmarks", "cells", "checkpoints", "data", "failed", "figures", "logs", "pages",
    "partial", "tables", "training",
)  # fmt: skip


def _run(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]*", value) or value in _TAKEN:
        raise ValueError(
            f"is {value!r}; allowed are letters, digits, - and _, and none of {', '.join(_TAKEN)}"
        )
    return value


Run = Annotated[str, Field(max_length=64), AfterValidator(_run)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _no_repetition(cls, values: Any) -> Any:
        for one in [values, *values] if isinstance(values, list) else []:
            if isinstance(one, list) and any(one.count(value) > 1 for value in one):
                raise ValueError(f"is {plain(one)}; a value may occur once only")
        return values


class DatasetEntry(_Section):
    """A dataset: its images, how networks are trained on it, and how it is shown."""

    label: Label
    stand_in_for: Line = Field(
        "", description="dataset whose role this one plays; shown beside every number"
    )
    note: Line = Field("", description="remark shown beside every number, e.g. a compression")
    training: str = Field(description="entry of 'training'")
    images: DatasetSettings = Field(description="where the images come from")

    @field_validator("images")
    @classmethod
    def _have_a_place(cls, images: DatasetSettings) -> DatasetSettings:
        if not images.path:
            raise ValueError("path is ''; allowed is a folder, or the file of packed images")
        try:
            line(images.path)
        except ValueError as error:
            raise ValueError(f"path {error}") from None
        return images


class NetworkEntry(_Section):
    """A network: its architecture, and how it is shown."""

    label: Label
    build: NetworkSettings = Field(description="architecture and width")


def _like(name: str, **changed: Any) -> Any:
    """A key that is a field of the attack's settings, with its help, range and default."""
    given: dict[str, Any] = {"default": AttackSpec.__dataclass_fields__[name].default}
    return Field(**given | bounds(AttackSpec, name) | changed)


def _parameters() -> dict[str, Any]:
    """The keys of an attack that are fields of its settings, with their type, help and range.

    A cell gives the name, eps and seed; the step may be a fraction of eps.
    """
    own = {"name", "method", "norm", "eps", "step_size", "seed"}
    types = get_type_hints(AttackSpec)
    return {
        setting.name: (types[setting.name], _like(setting.name))
        for setting in fields(AttackSpec)
        if setting.name not in own
    }


_Parameters = create_model("_Parameters", __base__=_Section, **_parameters())


class AttackEntry(_Parameters):  # type: ignore[misc, valid-type]  # made of AttackSpec's fields
    """An attack: everything but eps and seed. The step is absolute, or a fraction of eps.

    A parameter that the method does not have is an error, as it is in
    :class:`~rst_core.settings.AttackSpec`, which checks it.
    """

    label: Label
    method: AttackMethod
    norm: Norm = Field(description="of eps, step_size and step_per_eps")
    step_size: float | None = _like("step_size", default=None)
    step_per_eps: Annotated[float, Field(**Range(SIZE.low, 10).bounds)] | None = Field(
        None, description="step as a fraction of eps"
    )

    @model_validator(mode="after")
    def _complete(self) -> AttackEntry:
        steps = [self.step_size, self.step_per_eps]
        wanted = 1 if uses(self.method, "step_size") else 0
        if steps.count(None) != 2 - wanted:
            raise ValueError(
                f"step_size is {self.step_size} and step_per_eps is {self.step_per_eps}; "
                f"{'exactly one' if wanted else 'none'} of the two is allowed for {self.method}"
            )
        self.at("any", 1.0 if self.method.has_eps else None, 0)
        return self

    def at(self, name: str, eps: float | None, seed: int) -> AttackSpec:
        """The attack at one size and seed.

        Raises:
            ValueError: as :class:`~rst_core.settings.AttackSpec` does.
        """
        own = {"label", "step_size", "step_per_eps"}
        shared = {k: getattr(self, k) for k in type(self).model_fields if k not in own}
        relative = (self.step_per_eps or 0.0) * (eps or 0.0)
        step = self.step_size if self.step_size is not None else relative
        return AttackSpec(name=name, eps=eps, step_size=step, seed=seed, **shared)


class Measurement(_Section):
    """An attack on every model of an experiment."""

    attack: str = Field(description="entry of 'attacks'")
    eps: (
        Annotated[
            Sizes | _NoSize,
            Discriminator(lambda eps: "string" if isinstance(eps, str) else "array"),
        ]
        | None
    ) = Field(
        None,
        description="sizes; left out: the eps that each model was searched or trained at; none: "
        "the attack has no eps",
    )

    def sizes(self, trained: float) -> list[float] | list[None]:
        """The eps of this measurement's cells, ``trained`` being the model's own."""
        if self.eps == "none":
            return [None]
        return self.eps or [trained]

    def at(self, eps: float) -> Self:
        """The measurement at one of its sizes."""
        return self.model_copy(update={"eps": self.eps and [eps]})


class TransferMeasurement(Measurement):
    """A transfer row from every model of an experiment."""

    to: TargetGroup = Field(description="on which models the row is evaluated")


#: In whatever order they are typed, one set.
CandidateRatios = Annotated[list[KeepRatio], Field(min_length=2), AfterValidator(sorted)]


class Experiment(_Section):
    """A product of axes, and what is measured on each of its models."""

    models: list[ModelKind] = Field(description="none: the experiment is left out of the matrix")
    networks: list[str] = Field(["resnet18"], min_length=1, description="roles of networks")
    datasets: list[str] = Field(["cifar10"], min_length=1, description="roles of datasets")
    inits: list[Init] = Field([Init.SIGNED_KAIMING_CONSTANT], min_length=1)
    patterns: list[Pattern] = Field([Pattern.ELEMENT], min_length=1)
    score_inits: list[ScoreInit] = Field(
        [ScoreInit.RELEASED],
        min_length=1,
        description="how searches draw the initial scores of structured patterns",
    )
    methods: list[SearchMethod] = Field([SearchMethod.PGD7], min_length=1)
    seeds: list[Seed] | None = Field(
        None, min_length=1, description="left out: the seeds of the whole matrix"
    )
    eps: list[Eps] = Field([8.0], min_length=1, description="eps of search and training, in 1/255")
    keep_ratios: list[KeepRatio] = Field([], description="of the tickets")
    transferred_from: str | None = Field(
        None, description="role of the dataset on which a transferred RTT's dense was trained"
    )
    evaluate: list[Measurement] = Field([], description="attacks on every model")
    transfer: list[TransferMeasurement] = Field([], description="rows from every model")
    candidate_sets: list[CandidateRatios] = Field([], description="sets among which R2S switches")
    adaptive: list[Measurement] = Field([], description="adaptive attacks on every set")
    adaptive_transfer: list[TransferMeasurement] = Field(
        [], description="rows from every set, attacked as a whole"
    )
    feature_distance: list[Eps] = Field([], description="noise magnitudes, in 1/255")

    @model_validator(mode="after")
    def _complete(self) -> Experiment:
        if found := list(problems(self)):
            raise ValueError("\n".join(found))
        return self


class Roles(_Section):
    """What plays each part of the paper."""

    datasets: dict[Name, str] = Field(min_length=1)
    networks: dict[Name, str] = Field(min_length=1)


class Config(_Section):
    """The whole of config.yaml."""

    run: Run = Field(
        "",
        description="name of a matrix that is not the paper's own: all that it makes lies below "
        "results/<run>/; letters, digits, - and _",
    )
    selection: Selection = Field(description="the epoch that is attacked and shown")
    keep_selections: list[Selection] = Field(min_length=1, description="epochs that are kept")
    seeds: list[Seed] = Field(min_length=1)
    attack_batch_size: Annotated[int, Field(**IMAGES.bounds)] = Field(
        description="images at a time in attacks"
    )
    roles: Roles
    datasets: dict[Name, DatasetEntry] = Field(min_length=1)
    networks: dict[Name, NetworkEntry] = Field(min_length=1)
    training: dict[Name, TrainingSettings] = Field(min_length=1)
    attacks: dict[Name, AttackEntry] = Field(min_length=1)
    transfer_targets: list[KeepRatio] = Field(min_length=1)
    experiments: dict[Name, Experiment] = Field(min_length=1)
    foreign: dict[Name, ForeignEntry] = Field({}, description="checkpoints that are not made here")

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        if self.selection not in self.keep_selections:
            raise ValueError(
                f"selection is '{self.selection}'; allowed is one of keep_selections, "
                f"{', '.join(self.keep_selections)}"
            )
        if found := list(unfit(self)):
            raise ValueError("\n".join(found))
        return self


def read_config(raw: dict[str, Any]) -> Config:
    """Turn Snakemake's raw config into the validated object.

    Raises:
        ConfigError: with a sentence for every problem.
    """
    try:
        # As JSON, because there enums are strings and tuples lists, and nothing else is taken
        # for what it is not: no true for 1, no 3.0 for 3.
        return Config.model_validate_json(json.dumps(_numbers(raw), default=str), strict=True)
    except ValidationError as error:
        found = sentences(error, config_schema())
        raise ConfigError("\n".join(dict.fromkeys(found))) from None


def _numbers(raw: Any) -> Any:
    """With 5e-4 as the number that it is meant to be: YAML 1.1 reads it as text."""
    if isinstance(raw, dict):
        return {key: _numbers(value) for key, value in raw.items()}
    if isinstance(raw, list | tuple):
        return [_numbers(value) for value in raw]
    is_number = isinstance(raw, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", raw)
    return float(raw) if is_number else raw


@cache
def config_schema() -> dict[str, Any]:
    """JSON schema of config.yaml, for editors; kept in workflow/schemas by a test."""
    return Config.model_json_schema()


def schema_text() -> str:
    """The schema as it is committed."""
    return json.dumps(config_schema(), indent=1) + "\n"
