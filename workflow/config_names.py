"""Whether the parts of a config fit together: names that are used exist, attacks fit the images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from rst_core.data.manifest import OFFICIAL
from workflow.config_axes import misplaced

if TYPE_CHECKING:
    from workflow.config import Config, Experiment


def unfit(config: Config) -> Iterator[str]:
    """A sentence for every part that another part does not have, or does not go with."""
    asked = {role for one in config.experiments.values() for role in one.datasets}
    asked |= {one.transferred_from or "" for one in config.experiments.values()} | OFFICIAL.keys()
    for role, name in config.roles.datasets.items():
        yield from _missing(f"roles.datasets.{role}", name, config.datasets)
        if role not in asked:
            yield f"roles.datasets.{role} is in no experiment; allowed are {', '.join(OFFICIAL)}"
    for role, name in config.roles.networks.items():
        yield from _missing(f"roles.networks.{role}", name, config.networks)
    for name, dataset in config.datasets.items():
        yield from _missing(f"datasets.{name}.training", dataset.training, config.training)
    trained = {dataset.training for dataset in config.datasets.values()}
    for name in sorted(config.training.keys() - trained):
        allowed = ", ".join(sorted(trained))
        yield f"training.{name} is named by no dataset; allowed is one of {allowed}"
    labels: dict[str, str] = {}
    for name in sorted(set(config.roles.datasets.values()) & config.datasets.keys()):
        label = config.datasets[name].label
        if (other := labels.setdefault(label, name)) != name:
            yield f"datasets.{name}.label is {label!r}, which {other} has; allowed is another"
    models = Counter(entry.model for entry in config.foreign.values())
    for name, entry in config.foreign.items():
        where, network = f"foreign.{name}.model", entry.identity.network
        yield from _missing(where, network.dataset, config.datasets)
        yield from _missing(where, network.name, config.networks)
        if models[entry.model] > 1:
            yield f"{where} is {entry.model!r}, which another entry is too; allowed is one of each"
    for name, experiment in config.experiments.items():
        yield from _experiment(config, f"experiments.{name}", experiment)


def _missing(key: str, name: str | None, known: Collection[str]) -> Iterator[str]:
    if name is not None and name not in known:
        yield f"{key} is {name!r}; allowed is one of {', '.join(known)}"


def _experiment(config: Config, where: str, experiment: Experiment) -> Iterator[str]:
    roles, origin = config.roles.datasets, experiment.transferred_from
    for role in experiment.networks:
        yield from _missing(f"{where}.networks", role, config.roles.networks)
    for role in experiment.datasets:
        yield from _missing(f"{where}.datasets", role, roles)
    yield from _missing(f"{where}.transferred_from", origin, roles)
    played = {roles.get(role, "") for role in experiment.datasets} & config.datasets.keys()
    sides = sorted({config.datasets[name].images.image_size for name in played})
    for place in ("evaluate", "transfer", "adaptive", "adaptive_transfer"):
        for entry in getattr(experiment, place):
            yield from _missing(f"{where}.{place}.attack", entry.attack, config.attacks)
            if entry.attack in config.attacks:
                attack = config.attacks[entry.attack]
                yield from misplaced(f"{where}.{place}", experiment, entry, attack, sides)
    for row in experiment.adaptive_transfer:
        if row.to != "other_seeds":
            yield (
                f"{where}.adaptive_transfer.to is {row.to!r}; "
                "allowed is other_seeds, which have a set each"
            )
