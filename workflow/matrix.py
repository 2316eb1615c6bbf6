"""From the config to cells: which exist, which settings they have, what they need.

Everything here is a pure function of the config; rules and artifacts only ask.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, assert_never

from rst_core.axes import DEFAULTS, METHOD_AXES, SEARCHED, TICKETS, model_of
from rst_core.identity import (
    Adversary,
    CandidateSet,
    Cell,
    Dense,
    Evaluation,
    FeatureDistance,
    FineTuned,
    Model,
    Network,
    Ticket,
    Trained,
    TrainingCell,
    TransferRow,
    Untrained,
)
from rst_core.key import bases_of, cell_settings, named, sources_of
from rst_core.settings import AttackSpec, NetworkSettings, TrainingSettings, check_fits
from rst_core.storage import file_digest
from rst_core.vocabulary import Origin, Pattern
from workflow.config import Config, ConfigError, DatasetEntry, Experiment, ForeignEntry
from workflow.config_attacks import Measurement, TransferMeasurement

_Entry = TypeVar("_Entry")

# Thousands of cells have the same few settings.
_settings = cache(cell_settings)

#: How the targets of a naturally trained dense were searched, whose rows name no adversary: the
#: paper's way [B]. ``config_checks`` refuses experiments with another.
_PAPERS = Adversary(**{a.field: a.default for a in METHOD_AXES if a.of is Adversary})


class Matrix:
    """The experiment matrix of one config.

    Attributes:
        config: the config.
        results: folder of everything that is made, from the repository root; a run has its own.
        foreign: checkpoints that were made elsewhere, by the paths of their models.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.results = str(PurePosixPath("results", config.run))
        self.foreign = {entry.identity.path: entry for entry in config.foreign.values()}
        self._cells: dict[str, list[Cell]] = {}

    # -- where they are ---------------------------------------------------------------

    def file(self, cell: Cell) -> str:
        """Path of a cell's file from the repository root."""
        return f"{self.results}/cells/{cell.path}"

    def manifest(self, dataset: str) -> str:
        """Path of a dataset's manifest from the repository root."""
        return f"{self.results}/data/{dataset}.json"

    # -- which cells exist ------------------------------------------------------------

    def cells(self, experiment: str) -> list[Cell]:
        """The measured cells of an experiment, each once."""
        if experiment not in self._cells:
            definition = self.config.experiments[experiment]
            models = self.models(experiment)
            found = [c for model in models for c in self._measurements(definition, model)]
            self._cells[experiment] = list(dict.fromkeys([*found, *self._adaptive(definition)]))
        return self._cells[experiment]

    def models(self, experiment: str) -> list[Model]:
        """The models of an experiment, each once."""
        definition = self.config.experiments[experiment]
        bases = self._bases(definition)
        return list(dict.fromkeys(m for base in bases for m in self._models(definition, base)))

    def all_cells(self) -> list[Cell]:
        """The measured cells of all experiments, each once."""
        return list(dict.fromkeys(c for name in self.config.experiments for c in self.cells(name)))

    def _bases(self, experiment: Experiment) -> Iterator[dict[str, Any]]:
        """What the models of an experiment share, by axis: all but what tickets alone have."""
        roles = self.config.roles
        values = {
            "network": [roles.networks[role] for role in experiment.networks],
            "dataset": [roles.datasets[role] for role in experiment.datasets],
            **{a.name: getattr(experiment, a.key) for a in METHOD_AXES if a.of is not Ticket},
            "seed": experiment.seeds or self.config.seeds,
        }
        return _product(values)

    def _models(self, experiment: Experiment, base: dict[str, Any]) -> Iterator[Model]:
        values = {a.name: getattr(experiment, a.key) for a in METHOD_AXES if a.of is Ticket}
        tickets = list(_product(values | {"keep_ratio": experiment.keep_ratios}))
        source = self.config.roles.datasets.get(experiment.transferred_from or "")
        for kind in experiment.models:
            for ticket in tickets if kind in TICKETS else [{}]:
                yield model_of({**base, **ticket, "model": kind, "pretrained_on": source})

    def _measurements(self, experiment: Experiment, model: Model) -> Iterator[Cell]:
        selection = self.config.selection
        if isinstance(model, Untrained | Dense) and experiment.feature_distance:
            yield FeatureDistance(model, None if isinstance(model, Untrained) else selection)
        if isinstance(model, Untrained):
            return
        assert not isinstance(model, CandidateSet)
        rows = [] if isinstance(model, FineTuned) else experiment.transfer
        eps = _trained_eps(model, experiment)
        yield from self._attacked(model, [*experiment.evaluate, *rows], eps)

    def _adaptive(self, experiment: Experiment) -> Iterator[Cell]:
        kinds = [kind for kind in experiment.models if kind in SEARCHED]
        measured = [*experiment.adaptive, *experiment.adaptive_transfer]
        for base, kind, ratios in itertools.product(
            self._bases(experiment), kinds, experiment.candidate_sets
        ):
            members = model_of({**DEFAULTS, **base, "model": kind, "candidates": ratios})
            yield from self._attacked(members, measured, base["trained_eps"])

    def _attacked(
        self, model: Any, measured: Sequence[Measurement], trained_eps: float
    ) -> Iterator[Cell]:
        selection = self.config.selection
        for entry in measured:
            for eps in entry.sizes(trained_eps):
                if isinstance(entry, TransferMeasurement):
                    yield TransferRow(model, selection, entry.to, entry.attack, eps)
                else:
                    yield Evaluation(model, selection, entry.attack, eps)

    # -- what a cell needs ------------------------------------------------------------

    def checkpoint(self, model: Trained) -> ForeignEntry | None:
        """The checkpoint that stands for a model; None if the model is made here.

        Raises:
            ConfigError: for a checkpoint that does not exist, and for a model that is not there,
                of a network whose models are foreign.
        """
        name, entry = model.network.name, self.foreign.get(model.path)
        if entry and not Path(entry.file).is_file():
            raise ConfigError(
                f"{model.path} is listed in foreign, but its file {entry.file} does not exist; put "
                "the checkpoint there, or correct the path in foreign"
            )
        networks = {one.identity.network.name for one in self.config.foreign.values()}
        if entry is None and name in networks and not isinstance(model, FineTuned):
            raise ConfigError(
                f"{model.path} is not in foreign, and {name} holds foreign models only; "
                f"allowed is one of {', '.join(self.foreign)}"
            )
        return entry

    def bases(self, model: Trained) -> list[TrainingCell]:
        """Model files that training this model starts from."""
        return [TrainingCell(one, self.config.selection) for one in bases_of(model)]

    def input_models(self, cell: Cell) -> list[TrainingCell]:
        """The model files that a cell's key is of, each once.

        Raises:
            ConfigError: if its targets are no group that there is.
        """
        match cell:
            case TrainingCell():
                return self.bases(cell.model)
            case TransferRow():
                return self.targets(cell)
            case Evaluation() | FeatureDistance():
                return self.sources(cell)
            case _:
                assert_never(cell)

    def loaded(self, models: Iterable[TrainingCell]) -> list[TrainingCell]:
        """Model files that loading these needs: themselves, and the denses under RTTs."""
        needed: list[TrainingCell] = []
        for cell in models:
            needed.append(cell)
            if isinstance(cell.model, Ticket):
                needed += self.bases(cell.model)
        return list(dict.fromkeys(needed))

    def sources(self, cell: Evaluation | TransferRow | FeatureDistance) -> list[TrainingCell]:
        """Models that a cell is measured on, and that its attack is made on."""
        selection = cell.selection or self.config.selection
        return [TrainingCell(model, selection) for model in sources_of(cell)]

    @cached_property
    def noise_grid(self) -> tuple[float, ...]:
        """Noise magnitudes of all feature distances, in 1/255, rising."""
        grids = (e.feature_distance for e in self.config.experiments.values())
        return tuple(sorted({eps for grid in grids for eps in grid}))

    @cached_property
    def compared_seeds(self) -> list[int]:
        """The seeds of ``other_seeds``: the config's, and those of experiments with such a row."""
        own = [e.seeds or [] for e in self.config.experiments.values() if e.compares_seeds]
        return list(dict.fromkeys(itertools.chain(self.config.seeds, *own)))

    def targets(self, row: TransferRow) -> list[TrainingCell]:
        """Models that a transfer row is evaluated on, its source first: the diagonal.

        ``tickets``: the tickets of all ``transfer_targets`` ratios that are otherwise like
        the source (its RSTs, if the source is a dense). ``tickets_and_dense``: these and
        the natural and the adversarial dense. ``other_seeds``: the same model of all other
        :attr:`compared_seeds` [E]; of a candidate set its tickets, one by one.
        """
        source = row.model
        if row.targets == "other_seeds":
            networks = [replace(source.network, seed=seed) for seed in self.compared_seeds]
            others = [replace(row, model=replace(source, network=one)) for one in networks]
            models = [model for other in others for model in sources_of(other)]
        elif isinstance(source, CandidateSet):
            raise ConfigError(
                f"{row.path}: a candidate set's attack cannot go to {row.targets}; "
                "allowed is other_seeds"
            )
        elif row.targets in ("tickets", "tickets_and_dense"):
            adversary = source.adversary or _PAPERS
            like, ratios = source, self.config.transfer_targets
            if isinstance(like, Dense):
                like = Ticket(like.network, Origin.RST, ratios[0], Pattern.ELEMENT, adversary)
            models = [replace(like, keep_ratio=ratio) for ratio in ratios]
            if row.targets == "tickets_and_dense":
                models += [Dense(source.network, None), Dense(source.network, adversary)]
        else:
            raise ConfigError(
                f"transfer_to_{row.targets} names no group of targets; "
                "allowed is tickets, tickets_and_dense or other_seeds"
            )
        members = dict.fromkeys([*sources_of(row), *models])
        return [TrainingCell(model, row.selection) for model in members]

    # -- settings ---------------------------------------------------------------------

    def document(self, cell: Cell) -> str:
        """The settings that a cell's job is given, as JSON.

        Its path says those that its identity holds, the manifest those of its dataset.

        Raises:
            ConfigError: if the config does not say them.
        """
        settings = {k: part for k, part in self.settings(cell).items() if k != "dataset"}
        if in_path := named(cell):
            settings["attack"] = {k: v for k, v in settings["attack"].items() if k not in in_path}
        if isinstance(cell, TrainingCell):
            settings["selections"] = [s.value for s in self.config.keep_selections]
            if settings.pop("sha256", None) is None:
                settings["base"] = self.config.selection.value
        return json.dumps(settings)

    def images_document(self, dataset: str) -> str:
        """The settings that the job is given which looks at a dataset's images, as JSON."""
        return json.dumps({"dataset": asdict(self.dataset(dataset).images)})

    def settings(self, cell: Cell) -> dict[str, Any]:
        """All settings of a cell as plain values, which its key is of.

        Raises:
            ConfigError: if the config does not say them.
        """
        dataset = cell.model.network.dataset
        images, network = self.dataset(dataset).images, self.network_settings(cell.model.network)
        match cell:
            case TrainingCell(model) if entry := self.checkpoint(model):
                parts = {"layout": entry.layout, "sha256": file_digest(Path(entry.file))}
                return cell_settings(images, network=network, **parts)
            case TrainingCell():
                training = self.training_settings(dataset)
                return _settings(images, network=network, training=training)
            case Evaluation() | TransferRow():
                size = self.config.attack_batch_size
                return _settings(images, attack=self.attack(cell), batch_size=size)
            case FeatureDistance():
                if not self.noise_grid:
                    raise ConfigError(
                        "no experiment has a feature_distance; it lists noise magnitudes"
                    )
                return _settings(images, network=network, eps_grid=self.noise_grid)
            case _:
                assert_never(cell)

    def attack(self, cell: Evaluation | TransferRow) -> AttackSpec:
        """The attack of a cell, seeded like its model.

        Raises:
            ConfigError: if the config has no such attack, or it has no such size, or is too large.
        """
        entry = _entry(self.config.attacks, "attacks", cell.attack)
        try:
            spec = entry.at(cell.attack, cell.eps, cell.model.network.seed)
            check_fits(spec, self.dataset(cell.model.network.dataset).images.image_size)
        except ValueError as error:
            raise ConfigError(f"{cell.path}: {error}") from None
        return spec

    def network_settings(self, network: Network) -> NetworkSettings:
        """Architecture of a network."""
        return _entry(self.config.networks, "networks", network.name).build

    def training_settings(self, dataset: str) -> TrainingSettings:
        """Optimiser and schedule on a dataset."""
        return self.config.training[self.dataset(dataset).training]

    def dataset(self, name: str) -> DatasetEntry:
        """A dataset by its name.

        Raises:
            ConfigError: if the config has none of that name.
        """
        return _entry(self.config.datasets, "datasets", name)


def _entry(known: Mapping[str, _Entry], section: str, name: str) -> _Entry:
    if name not in known:
        raise ConfigError(f"{name!r} is not in {section}; allowed is one of {', '.join(known)}")
    return known[name]


def _product(values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the values of some axes; those of the last axis change fastest."""
    for point in itertools.product(*values.values()):
        yield dict(zip(values, point, strict=True))


def _trained_eps(model: Trained, experiment: Experiment) -> float:
    """The eps at which a model is attacked unless said otherwise: the one it was made for.

    A naturally trained dense has none of its own and takes the experiment's first.
    """
    adversary = model.ticket.adversary if isinstance(model, FineTuned) else model.adversary
    return adversary.eps if adversary else experiment.eps[0]
