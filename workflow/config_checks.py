"""Whether the parts of a config fit together and are all used: what is not is an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from rst_core.axes import AXES, DENSES, METHOD_AXES, SEARCHED, TICKETS
from rst_core.data.manifest import OFFICIAL
from rst_core.identity import Adversary, Ticket
from rst_core.settings import check_fits
from rst_core.vocabulary import Norm, Pattern, ScoreInit
from workflow.config_attacks import ATTACKED
from workflow.config_sentences import plain

if TYPE_CHECKING:
    from workflow.config import Config, Experiment
    from workflow.config_attacks import AttackEntry, Measurement


def problems(experiment: Experiment) -> Iterator[str]:
    """A sentence for everything that is needed and not there, or there and not used.

    An experiment without models is left out; the rest of it may stand as it is.
    """
    if not experiment.models:
        return
    yield from _lacking(experiment)
    yield from _unused(experiment)
    yield from _unmeasured(experiment)
    yield from _unfit_for_sets(experiment)
    yield from _unlike_targets(experiment)
    if Pattern.ELEMENT in experiment.patterns and ScoreInit.WEIGHT_FAN in experiment.score_inits:
        yield (
            f"score_inits is {plain(experiment.score_inits)}, but the pattern element takes only "
            "[released]: its scores have the weight's fan"
        )


#: What measures which models; the adaptive ones attack sets of them.
_MEASURES = {
    "evaluate": (*DENSES, *TICKETS),
    "transfer": (*DENSES, *SEARCHED),
    "adaptive": (*SEARCHED,),
    "adaptive_transfer": (*SEARCHED,),
    "feature_distance": ("untrained", *DENSES),
}


def _have(experiment: Experiment, kinds: Collection[str]) -> list[str]:
    return [model for model in experiment.models if model in kinds]


def _lacking(experiment: Experiment) -> Iterator[str]:
    """A sentence for everything that the models need and do not get."""
    tickets = _have(experiment, TICKETS)
    if tickets and not experiment.keep_ratios:
        yield f"keep_ratios is empty; {tickets[0]} needs at least one"
    if ("rtt_transferred" in experiment.models) != (experiment.transferred_from is not None):
        yield (
            f"transferred_from is {experiment.transferred_from!r}; "
            "the model rtt_transferred needs it, and no other model takes it"
        )
    if experiment.transferred_from in experiment.datasets:
        yield f"transferred_from is {experiment.transferred_from!r}; allowed is another dataset"
    if not experiment.candidate_sets and (experiment.adaptive or experiment.adaptive_transfer):
        which = "adaptive" if experiment.adaptive else "adaptive_transfer"
        yield f"candidate_sets is empty, but {which} attacks them; add one, or empty {which}"


def _unused(experiment: Experiment) -> Iterator[str]:
    """A sentence for every axis and every measurement that no model here has."""
    having = {Ticket: TICKETS, Adversary: ("dense_adversarial", *TICKETS)}
    wanted = {axis.key: having[axis.of] for axis in AXES if axis.of in having and axis.key}
    wanted |= {key: _MEASURES[key] for key in ("evaluate", "transfer", "feature_distance")}
    if len(experiment.eps) == 1:  # which is also what a natural dense is attacked at
        del wanted["eps"]
    for key, users in wanted.items():
        default = type(experiment).model_fields[key].default
        if not _have(experiment, users) and getattr(experiment, key) != default:
            value = plain(getattr(experiment, key))
            yield (
                f"{key} is {value}, which no model of the experiment uses "
                f"({', '.join(users)} use it)"
            )


def _unmeasured(experiment: Experiment) -> Iterator[str]:
    """A sentence for every kind of model that would be made for nothing.

    An experiment that measures nothing at all is one that a config switches off.
    """
    measured = {key for key in _MEASURES if getattr(experiment, key)}
    for model in experiment.models if measured else ():
        fit = [key for key, kinds in _MEASURES.items() if model in kinds]
        if measured.isdisjoint(fit):
            yield (
                f"models has {model}, which nothing in this experiment measures; add "
                f"{' or '.join(fit)}, or remove it"
            )


def _unfit_for_sets(experiment: Experiment) -> Iterator[str]:
    """A sentence for everything that candidate sets do not have or do not use."""
    if not experiment.candidate_sets:
        return
    for axis in METHOD_AXES:
        values = getattr(experiment, axis.key)
        if axis.of is Ticket and values != [axis.default]:
            allowed = f"allowed is {plain([axis.default])} with candidate_sets"
            yield f"{axis.key} is {plain(values)}; {allowed}"
    if "rtt_transferred" in experiment.models or not _have(experiment, SEARCHED):
        yield (
            f"models is {plain(experiment.models)}; candidate_sets need rst, rtt_natural or "
            "rtt_adversarial, and do not take rtt_transferred"
        )
    if not (experiment.transfer or experiment.adaptive or experiment.adaptive_transfer):
        yield (
            "candidate_sets are not measured; add transfer, adaptive or adaptive_transfer, "
            "or remove them"
        )
    unused = set(experiment.keep_ratios).difference(*experiment.candidate_sets)
    if unused and not (experiment.evaluate or experiment.transfer):
        yield (
            f"keep_ratios has {plain(sorted(unused))}, which no candidate set has; add evaluate or "
            "transfer, or remove them"
        )


def _unlike_targets(experiment: Experiment) -> Iterator[str]:
    """A sentence for every axis on which a natural dense's targets are not the experiment's.

    The path of its row names no adversary: they are always searched in the paper's way.
    """
    groups = [row.to for row in experiment.transfer if row.to != "other_seeds"]
    if not groups or "dense_natural" not in experiment.models:
        return
    for axis in METHOD_AXES:
        values = getattr(experiment, axis.key)
        if axis.of is Adversary and values != [axis.default]:
            yield (
                f"{axis.key} is {plain(values)}; allowed is {plain([axis.default])} where "
                f"dense_natural has a transfer to {groups[0]}, which are always searched so"
            )


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
        yield f"training.{name} is used by no dataset; datasets use {allowed}"
    labels: dict[str, str] = {}
    for name in sorted(set(config.roles.datasets.values()) & config.datasets.keys()):
        label = config.datasets[name].label
        if (other := labels.setdefault(label, name)) != name:
            yield f"datasets.{name}.label is {label!r}, the label of {other}; labels must differ"
    models = Counter(entry.model for entry in config.foreign.values())
    for name, entry in config.foreign.items():
        where, network = f"foreign.{name}.model", entry.identity.network
        yield from _missing(where, network.dataset, config.datasets)
        yield from _missing(where, network.name, config.networks)
        if models[entry.model] > 1:
            yield f"{where} is {entry.model!r}, as in another entry; a model may occur once"
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
    for key in ATTACKED:
        for entry in getattr(experiment, key):
            yield from _missing(f"{where}.{key}.attack", entry.attack, config.attacks)
            if entry.attack in config.attacks:
                attack = config.attacks[entry.attack]
                yield from _misplaced(f"{where}.{key}", experiment, entry, attack, sides)
    for row in experiment.adaptive_transfer:
        if row.to != "other_seeds":
            yield (f"{where}.adaptive_transfer.to is {row.to!r}; allowed is other_seeds")


def _misplaced(
    where: str,
    experiment: Experiment,
    entry: Measurement,
    attack: AttackEntry,
    image_sizes: Iterable[int],
) -> Iterator[str]:
    """A sentence if an attack cannot be asked for in that way, or at that size.

    Args:
        where: the key of the measurement, as it is typed.
        experiment: of which it is one.
        entry: the measurement.
        attack: which it names.
        image_sizes: sides of the images of the experiment's datasets, in pixels.
    """
    method, key = attack.method, where.rpartition(".")[2]
    if method.on_sets != key.startswith("adaptive"):
        allowed = "adaptive" if method.on_sets else "evaluate and transfer"
        yield (
            f"{where}.attack is {entry.attack!r}, whose method {method} "
            f"is allowed in {allowed} only"
        )
    if method.has_eps == (entry.eps == "none"):
        allowed = "a list of sizes, or nothing" if method.has_eps else "'none'"
        yield f"{where}.eps is {entry.eps!r} for {entry.attack}; allowed is {allowed}"
    elif attack.norm is Norm.L2 and method.has_eps and entry.eps is None:
        yield (
            f"{where}.eps is missing for {entry.attack}; allowed is a list of L2 sizes on "
            "[0, 1] images, as a model's own eps is in 1/255"
        )
    else:
        for eps in (size for trained in experiment.eps for size in entry.sizes(trained)):
            try:
                spec = attack.at(entry.attack, eps, 0)
            except ValueError as error:
                yield f"{where}.eps is {eps} for {entry.attack}, whose {error}"
                continue
            for image_size in image_sizes:
                try:
                    check_fits(spec, image_size)
                except ValueError as error:
                    typed = where if str(error).startswith("eps") else f"attacks.{entry.attack}"
                    yield f"{typed}.{error}"
