"""config.yaml as frozen, validated objects. Raw dictionaries end here.

An unknown key, an unknown name or a value out of range is an error that names the key,
the value and what is allowed, before any job starts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from rst_core.settings import (
    AttackSpec,
    DatasetSettings,
    NetworkSettings,
    TrainingSettings,
    uses,
)
from rst_core.spec import check_keep_ratio, check_name, format_number
from rst_core.vocabulary import (
    AttackMethod,
    Combination,
    Init,
    Norm,
    Pattern,
    SearchMethod,
    Selection,
)

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


class ConfigError(ValueError):
    """The config cannot be used; the message says why, one sentence a line."""


def _keep_ratio(value: float) -> float:
    check_keep_ratio(value)
    format_number(value)
    return value


def _path_number(value: float) -> float:
    format_number(value)
    return value


def _name(value: str) -> str:
    check_name("a name", value)
    return value


KeepRatio = Annotated[float, Field(gt=0, le=1), AfterValidator(_keep_ratio)]
Eps = Annotated[float, Field(gt=0), AfterValidator(_path_number)]
Name = Annotated[str, AfterValidator(_name)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetEntry(_Section):
    """A dataset: its images, how networks are trained on it, and how it is shown."""

    label: str = Field(description="name shown in tables and figures")
    stand_in_for: str = Field(
        "", description="dataset whose role this one plays; shown beside every number"
    )
    note: str = Field("", description="remark shown beside every number, e.g. a compression")
    training: str = Field(description="entry of 'training'")
    images: DatasetSettings = Field(description="where the images come from")


class NetworkEntry(_Section):
    """A network: its architecture, and how it is shown."""

    label: str = Field(description="name shown in tables and figures")
    build: NetworkSettings = Field(description="architecture and width")


class AttackEntry(_Section):
    """An attack: everything but eps and seed. The step is absolute, or a fraction of eps.

    A parameter that the method does not have is an error, as it is in
    :class:`~rst_core.settings.AttackSpec`, which checks it.
    """

    label: str = Field(description="name shown in tables and figures")
    method: AttackMethod
    norm: Norm = Norm.LINF
    steps: int = Field(
        1,
        ge=1,
        description="gradient steps; cw_l2: iterations; bandits: of two queries each; "
        "square: queries",
    )
    step_size: float | None = Field(None, description="step: 1/255 (linf), [0, 1] images (l2)")
    step_per_eps: float | None = Field(None, description="step as a fraction of eps")
    random_start: bool = Field(False, description="start uniformly in the ball")
    restarts: int = Field(1, ge=1, description="independent runs")
    stop_at_success: bool = Field(True, description="leave an image once it is misclassified")
    images: int | None = Field(None, description="attack the first N test images only")
    learning_rate: float | None = Field(
        None, description="cw_l2: Adam's, in tanh space; bandits: the prior's"
    )
    search_steps: int | None = Field(None, description="cw_l2: binary search steps on the constant")
    constant: float | None = Field(None, description="cw_l2: initial weight of misclassification")
    probe: float | None = Field(
        None, description="bandits: L2 length of a query's offset, on [0, 1] images"
    )
    exploration: float | None = Field(
        None, description="bandits: L2 length of a random move of the prior"
    )
    tiles: int | None = Field(
        None, description="bandits: tiles of the prior along each side of the image"
    )
    combine: Combination | None = Field(
        None, description="apgd: what of a candidate set's members the loss is of"
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
    eps: list[Eps] | Literal["none"] | None = Field(
        None,
        description="sizes; left out: the eps that each model was searched or trained at; none: "
        "the attack has no eps",
    )

    def sizes(self, trained: float) -> list[float] | list[None]:
        """The eps of this measurement's cells, ``trained`` being the model's own."""
        if self.eps == "none":
            return [None]
        return self.eps or [trained]


class TransferMeasurement(Measurement):
    """A transfer row from every model of an experiment."""

    to: TargetGroup = Field(description="on which models the row is evaluated")


class Experiment(_Section):
    """A product of axes, and what is measured on each of its models."""

    models: list[ModelKind] = Field(min_length=1)
    networks: list[str] = Field(["resnet18"], min_length=1, description="roles of networks")
    datasets: list[str] = Field(["cifar10"], min_length=1, description="roles of datasets")
    inits: list[Init] = Field([Init.SIGNED_KAIMING_CONSTANT], min_length=1)
    patterns: list[Pattern] = Field([Pattern.ELEMENT], min_length=1)
    methods: list[SearchMethod] = Field([SearchMethod.PGD7], min_length=1)
    seeds: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, min_length=1, description="left out: the seeds of the whole matrix"
    )
    eps: list[Eps] = Field([8], min_length=1, description="eps of search and training, in 1/255")
    keep_ratios: list[KeepRatio] = Field([], description="of the tickets")
    transferred_from: str | None = Field(
        None, description="role of the dataset on which a transferred RTT's dense was trained"
    )
    evaluate: list[Measurement] = Field([], description="attacks on every model")
    transfer: list[TransferMeasurement] = Field([], description="rows from every model")
    candidate_sets: list[list[KeepRatio]] = Field([], description="sets among which R2S switches")
    adaptive: list[Measurement] = Field([], description="adaptive attacks on every set")
    adaptive_transfer: list[TransferMeasurement] = Field(
        [], description="rows from every set, attacked as a whole"
    )
    feature_distance: list[Eps] = Field([], description="noise magnitudes, in 1/255")

    @field_validator("keep_ratios", "candidate_sets")
    @classmethod
    def _no_repetition(cls, values: list[Any]) -> list[Any]:
        if any(values.count(v) > 1 for v in values):
            raise ValueError(f"is {values}; a value may occur once only")
        return values

    @model_validator(mode="after")
    def _complete(self) -> Experiment:
        tickets = [m for m in self.models if m.startswith(("rst", "rtt", "finetuned"))]
        if tickets and not self.keep_ratios:
            raise ValueError(f"keep_ratios is empty; {tickets[0]} needs at least one")
        if ("rtt_transferred" in self.models) != (self.transferred_from is not None):
            raise ValueError(
                f"transferred_from is {self.transferred_from!r}; "
                "it is needed by rtt_transferred and by nothing else"
            )
        return self


class Roles(_Section):
    """What plays each part of the paper."""

    datasets: dict[Name, str]
    networks: dict[Name, str]


class Config(_Section):
    """The whole of config.yaml."""

    selection: Selection = Field(description="the epoch that is attacked and shown")
    keep_selections: list[Selection] = Field(min_length=1, description="epochs that are kept")
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    attack_batch_size: int = Field(ge=1, description="images at a time in attacks")
    roles: Roles
    datasets: dict[Name, DatasetEntry]
    networks: dict[Name, NetworkEntry]
    training: dict[Name, TrainingSettings]
    attacks: dict[Name, AttackEntry]
    transfer_targets: list[KeepRatio] = Field(min_length=1)
    experiments: dict[Name, Experiment]

    @field_validator("seeds", "transfer_targets", "keep_selections")
    @classmethod
    def _no_repetition(cls, values: list[Any], info: ValidationInfo) -> list[Any]:
        if len(set(values)) < len(values):
            raise ValueError(f"is {values}; a value may occur once only")
        return values

    @model_validator(mode="after")
    def _names_exist(self) -> Config:
        if self.selection not in self.keep_selections:
            raise ValueError(
                f"selection is '{self.selection}'; allowed is one of keep_selections, "
                f"{', '.join(self.keep_selections)}"
            )
        problems = list(self._missing_names())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _missing_names(self) -> Iterator[str]:
        """A sentence for every name that is used but not defined."""

        def missing(key: str, name: str | None, known: dict[str, Any]) -> Iterator[str]:
            if name is not None and name not in known:
                yield f"{key} is {name!r}; allowed is one of {', '.join(known)}"

        for role, name in self.roles.datasets.items():
            yield from missing(f"roles.datasets.{role}", name, self.datasets)
        for role, name in self.roles.networks.items():
            yield from missing(f"roles.networks.{role}", name, self.networks)
        for name, dataset in self.datasets.items():
            yield from missing(f"datasets.{name}.training", dataset.training, self.training)
        for name, experiment in self.experiments.items():
            where = f"experiments.{name}"
            for role in experiment.networks:
                yield from missing(f"{where}.networks", role, self.roles.networks)
            for role in experiment.datasets:
                yield from missing(f"{where}.datasets", role, self.roles.datasets)
            origin = experiment.transferred_from
            yield from missing(f"{where}.transferred_from", origin, self.roles.datasets)
            for place in ("evaluate", "transfer", "adaptive", "adaptive_transfer"):
                for entry in getattr(experiment, place):
                    yield from missing(f"{where}.attack", entry.attack, self.attacks)
                    if entry.attack in self.attacks:
                        yield from self._misplaced(where, place, entry)
            for row in experiment.adaptive_transfer:
                if row.to != "other_seeds":
                    yield (
                        f"{where}.adaptive_transfer.to is {row.to!r}; "
                        "allowed is other_seeds, which have a set each"
                    )

    def _misplaced(self, where: str, place: str, entry: Measurement) -> Iterator[str]:
        """A sentence if an attack's method cannot be asked for in that way."""
        method = self.attacks[entry.attack].method
        if method.has_eps == (entry.eps == "none"):
            allowed = "a list of sizes, or nothing" if method.has_eps else "'none'"
            yield f"{where}.eps is {entry.eps!r} for {entry.attack}; allowed is {allowed}"
        if method.on_sets != place.startswith("adaptive"):
            allowed = "adaptive" if method.on_sets else "evaluate and transfer"
            yield (
                f"{where}.{place} has {entry.attack!r}, whose method {method} "
                f"is allowed in {allowed} only"
            )


def read_config(raw: dict[str, Any]) -> Config:
    """Turn Snakemake's raw config into the validated object.

    Raises:
        ConfigError: with a sentence for every problem.
    """
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(_sentences(error))) from None


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "config"
        value, context = problem["input"], problem.get("ctx", {})
        match problem["type"]:
            case "extra_forbidden" | "unexpected_keyword_argument":
                parent = problem["loc"][:-1]
                yield f"{key}: unknown key; allowed are {', '.join(_allowed_keys(parent))}"
            case "missing" | "missing_keyword_only_argument":
                yield f"{key} is missing"
            case "enum" | "literal_error":
                yield f"{key} is {value!r}; allowed is {context['expected']}"
            case "value_error":
                yield from (
                    line if "." in line.split(" ")[0] else f"{key}: {line}"
                    for line in str(context["error"]).splitlines()
                )
            case "greater_than" | "less_than_equal" if "keep" in key or "transfer_targets" in key:
                yield f"{key} is {value!r}; allowed is a keep ratio in (0, 1], such as 0.05"
            case _:
                message = problem["msg"].removeprefix("Input should be ")
                yield f"{key} is {value!r}; allowed is {message}"


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys allowed at a place in the config, read off the JSON schema."""
    schema = config_schema()
    node = schema
    for part in location:
        node = _resolve(schema, node)
        if "properties" in node and part in node["properties"]:
            node = node["properties"][part]
        elif isinstance(part, int):
            node = node["items"]
        else:
            node = node.get("additionalProperties", {})
    return sorted(_resolve(schema, node).get("properties", {}))


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        found: dict[str, Any] = schema["$defs"][node["$ref"].rpartition("/")[2]]
        return found
    return node


def config_schema() -> dict[str, Any]:
    """JSON schema of config.yaml, for editors; kept in workflow/schemas by a test."""
    return Config.model_json_schema()


def schema_text() -> str:
    """The schema as it is committed."""
    return json.dumps(config_schema(), indent=1) + "\n"
