"""config.yaml as frozen, validated objects. Raw dictionaries end here.

An unknown key, an unknown name, a value out of range, and an axis that nothing would use are
errors that name the key, the value and what is allowed, before any job starts.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from rst_core.axes import DEFAULTS, METHOD_AXES, ModelKind
from rst_core.identity import Dense, Ticket, parse_model
from rst_core.ranges import IMAGES
from rst_core.settings import DatasetSettings, NetworkSettings, TrainingSettings
from rst_core.vocabulary import CheckpointLayout, Origin, Selection
from workflow.config_attacks import AttackEntry, Measurement, TransferMeasurement
from workflow.config_checks import problems, unfit
from workflow.config_sentences import line, sentences
from workflow.config_values import Eps, KeepRatio, Label, Line, Name, Section, Seed
from workflow.config_yaml import ConfigError, read_yaml

__all__ = ["Config", "ConfigError", "read_config", "read_yaml"]

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


class DatasetEntry(Section):
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


class NetworkEntry(Section):
    """A network: its architecture, and how it is shown."""

    label: Label
    build: NetworkSettings = Field(description="architecture and width")


#: In whatever order they are typed, one set.
CandidateRatios = Annotated[list[KeepRatio], Field(min_length=2), AfterValidator(sorted)]


class _OfModels(Section):
    models: list[ModelKind] = Field(description="none: the experiment is left out of the matrix")
    networks: list[str] = Field(["resnet18"], min_length=1, description="roles of networks")
    datasets: list[str] = Field(["cifar10"], min_length=1, description="roles of datasets")


def _choices() -> dict[str, Any]:
    """The keys of an experiment that list words of an axis, with type, default and help."""
    return {
        axis.key: (
            list[axis.type],  # type: ignore[name-defined]
            Field([axis.default], min_length=1, description=axis.about),
        )
        for axis in METHOD_AXES
        if axis.words
    }


_Chosen = create_model("_Chosen", __base__=_OfModels, **_choices())


class Experiment(_Chosen):  # type: ignore[misc, valid-type]  # made of axes
    """A product of axes, and what is measured on each of its models."""

    seeds: list[Seed] | None = Field(
        None, min_length=1, description="left out: the seeds of the whole matrix"
    )
    eps: list[Eps] = Field(
        [DEFAULTS["trained_eps"]], min_length=1, description="eps of search and training, in 1/255"
    )
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

    @property
    def candidate_set(self) -> tuple[float, ...]:
        """Keep ratios of the tickets among which R2S switches where no other set is named."""
        return tuple((self.candidate_sets or [self.keep_ratios])[0])

    @property
    def compares_seeds(self) -> bool:
        """Whether it has a row that is evaluated on models of other seeds."""
        rows = [*self.transfer, *self.adaptive_transfer]
        return bool(self.models) and any(row.to == "other_seeds" for row in rows)

    @model_validator(mode="after")
    def _complete(self) -> Experiment:
        if found := list(problems(self)):
            raise ValueError("\n".join(found))
        return self


class ForeignEntry(Section):
    """A checkpoint that was made elsewhere, called like a model that would be made here.

    Its network holds foreign models only: none of that network is searched or trained.
    """

    model: str = Field(
        description="what it is called: the path of a dense or an RST, such as "
        "cifar10/released/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8"
    )
    file: Annotated[str, AfterValidator(line)] = Field(
        min_length=1,
        max_length=1000,
        description="the checkpoint, from the repository root; nothing in it is executed",
    )
    layout: CheckpointLayout = Field(
        description="how it names its tensors: as the networks here or torchvision's do "
        "(state_dict), or as the paper's released code does (released)"
    )

    @field_validator("model")
    @classmethod
    def _names_a_model(cls, value: str) -> str:
        try:
            model = parse_model(value)
        except ValueError as error:
            raise ValueError(f"is no name: {error}") from None
        match model:
            case Dense() | Ticket(origin=Origin.RST):
                return value
            case _:
                raise ValueError(f"is {value!r}; allowed is the path of a dense or of an RST")

    @property
    def identity(self) -> Dense | Ticket:
        """What it is called, as an identity."""
        model = parse_model(self.model)
        assert isinstance(model, Dense | Ticket)
        return model


class Roles(Section):
    """What plays each part of the paper."""

    datasets: dict[Name, str] = Field(min_length=1)
    networks: dict[Name, str] = Field(min_length=1)


class Config(Section):
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
