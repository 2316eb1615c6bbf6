"""A claim as a tree of comparisons: which numbers at which places, and how many must come out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf
from typing import Any, NamedTuple

from rst_core.axes import DEFAULTS, TICKETS
from workflow.artifacts.claims.definitions import Claims, OfExperiment, Test
from workflow.artifacts.claims.numbers import Address, Numbers
from workflow.artifacts.figures import r2s_stress_parts as stress_test
from workflow.artifacts.numbers.keyed import HOW, Key
from workflow.artifacts.numbers.models import ATTACK, Models
from workflow.artifacts.numbers.selection import NATURAL, Measure, adaptive, switched, transferred

Terms = tuple[tuple[float, Address], ...]
Bounds = tuple[float, float]
Axes = dict[str, Any]

#: What an axis is where a claim says nothing: the defaults of config.yaml's experiments.
USUAL: Axes = {
    **DEFAULTS,
    "network": "resnet18",
    "dataset": "cifar10",
    "measure": "robust",
    "attack": ATTACK,
    "source_seed": "own",
}
_ABSENT = Address(((Key("", "", "", "", "absent"),),))


class Leaf(NamedTuple):
    """A weighted sum of numbers at a place, and its bounds.

    ``number`` is its place in the claim's list; ``stated`` are the bounds that the word states, of
    which *consistently* asks less of one place.
    """

    number: int
    place: str
    terms: Terms
    at_least: float
    at_most: float
    stated: Bounds

    @property
    def measured(self) -> Terms:
        """Its terms without constants."""
        return tuple((weight, address) for weight, address in self.terms if address.keys)

    @property
    def keys(self) -> dict[Key, None]:
        """The numbers that it reads, each once."""
        return dict.fromkeys(key for _, address in self.terms for key in address.keys)


@dataclass(frozen=True)
class Group:
    """Tests of which at least a share must come out, and at least one."""

    share: float
    children: tuple[Tree, ...]

    @property
    def need(self) -> int:
        """How many must come out."""
        return max(1, ceil(self.share * len(self.children) - 1e-9))


Tree = Leaf | Group


@dataclass(frozen=True)
class Compiled:
    """A claim's tree on what a config has; None if the config has none of its places.

    Attributes:
        supportable: False if a part that must come out has no place at all.
    """

    tree: Tree | None
    leaves: list[Leaf]
    supportable: bool = True

    @cached_property
    def keys(self) -> dict[Key, None]:
        """The numbers that it reads, each once."""
        return dict.fromkeys(key for leaf in self.leaves for key in leaf.keys)

    def coverage(self, complete: Compiled, plan: Numbers) -> str:
        """What a config has of all that a claim asks for, by axis, else counted.

        Where it has no comparison, what it lacks altogether: each lacks something else.
        """
        parts = []
        for axis in Key._fields:
            here = {getattr(key, axis) for key in self.keys or plan.rows}
            wanted = dict.fromkeys(v for k in complete.keys if (v := getattr(k, axis)) is not None)
            found = [v for v in wanted if (v if self.keys else plan.name_in_role(axis, v)) in here]
            if len(found) < len(wanted):
                start = f"on {axis} {listed(found)} of" if found else f"without {axis}"
                parts.append(f"{start} {listed(wanted)}".replace("_", " "))
        if not parts and 0 < len(self.leaves) < len(complete.leaves):
            parts.append(f"on {len(self.leaves)} of {len(complete.leaves)} comparisons")
        return "; ".join(parts)


def compiled(claims: Claims, test: Test, plan: Numbers) -> Compiled:
    """The tree of a test on the numbers that are planned."""
    compiler = Compiler(claims, plan)
    return Compiled(compiler.node(test, {}), compiler.leaves, compiler.supportable)


class Compiler:
    """Turns the tests of one claim into a tree; see :func:`compiled`."""

    def __init__(self, claims: Claims, plan: Numbers) -> None:
        self.claims, self.plan = claims, plan
        self.leaves: list[Leaf] = []
        self.supportable = True
        self._shares = {"all": 1.0, "every": 1.0, "mostly": claims.mostly, "any": 0.0, "some": 0.0}

    def node(self, test: Test, context: Axes) -> Tree | None:
        """The test at all of its places; None if the config has none."""
        context = context | test.at.given()
        if test.form == "of":
            terms = self._terms(test, context)
            bounds = self.claims.bounds(test)
            return self._leaf(test, context, terms, bounds, bounds) if terms else None
        if test.form == "consistently":
            return self._consistently(test, context)
        places = self._places(test, context)
        nodes = [self.node(one, place) for place in places for one in test.tests]
        self.supportable &= test.form != "all" or None not in nodes
        return group(self._shares[test.form], nodes)

    def _consistently(self, test: Test, context: Axes) -> Tree | None:
        """On average at least the word's effect, and at no place as much the other way."""
        one, bounds = test.tests[0], self.claims.bounds(test.tests[0])
        if not (bounds[0] > 0 and bounds[1] == inf):
            raise ValueError(f"consistently needs a word with an effect above 0, not {one.word}")
        places = [place | one.at.given() for place in self._places(test, context)]
        found = [(place, terms) for place in places if (terms := self._terms(one, place))]
        leaves: list[Tree | None] = [
            self._leaf(one, place, terms, (-bounds[0], inf), bounds) for place, terms in found
        ]
        if found:
            mean = tuple((w / len(found), a) for _, terms in found for w, a in terms)
            at = {"mean over places": len(found)}
            leaves.append(self._leaf(one, at, mean, bounds, bounds))
        return group(1.0, leaves)

    def _places(self, test: Test, context: Axes) -> Iterator[Axes]:
        for combination in itertools.product(*map(self._ratios, test.places.values())):
            place = dict(zip(test.places, combination, strict=True))
            # Nothing is compared with itself, and no ticket is a transfer from itself.
            pairs = [(axis.removeprefix("other."), axis) for axis in place if "." in axis]
            pairs += [("source_keep_ratio", "keep_ratio")] if "source_keep_ratio" in place else []
            if not pairs or any(place.get(a) != place.get(b, a) for a, b in pairs):
                yield context | place

    def _ratios(self, values: Any) -> tuple[Any, ...]:
        if not isinstance(values, OfExperiment):
            return tuple(values) if isinstance(values, list | tuple) else (values,)
        experiment = self.plan.matrix.config.experiments.get(values.experiment)
        return tuple(experiment.keep_ratios) if experiment else ()

    def _leaf(self, test: Test, at: Axes, terms: Terms, bounds: Bounds, stated: Bounds) -> Leaf:
        leaf = Leaf(len(self.leaves), self._label(test, at), terms, *bounds, stated)
        self.leaves.append(leaf)
        return leaf

    def _label(self, test: Test, context: Axes) -> str:
        """What is compared with what, and where."""

        def words(axes: Axes) -> str:
            shown = sorted(axes.items(), key=lambda item: item[0] != "model")
            named = ((axis, listed(self._ratios(value))) for axis, value in shown)
            text = ", ".join(v if axis == "model" else f"{axis} {v}" for axis, v in named)
            return text.replace("_", " ").replace("other.", "other ")

        first, second = (" + ".join(words(s.given()) for s in p) for p in (test.of, test.minus))
        times = "" if (factor := self.claims.times(test)) == 1 else f"{factor:g} × "
        text = f"{first} − {times}({second})" if test.minus else first
        return f"{text} [{words(context)}]" if context else text

    # -- which numbers ----------------------------------------------------------------

    def _terms(self, test: Test, context: Axes) -> Terms:
        """Weights and addresses; empty if the config lacks one.

        A mean over keep ratios is over those that all sides with this mean have.
        """
        other = {k.removeprefix("other."): v for k, v in context.items() if "." in k}
        shared = USUAL | {k: v for k, v in context.items() if "." not in k}
        first = [self._addresses(shared | side.given()) for side in test.of]
        second = [self._addresses(shared | other | side.given()) for side in test.minus]
        numbers = [{a for s in side for a in s.values()} for side in (first, second)]
        if set.intersection(*numbers) - {_ABSENT}:
            raise ValueError(f"both sides are the same number: {self._label(test, context)}")
        sides = [(1.0, s) for s in first] + [(-self.claims.times(test), s) for s in second]
        terms: Terms = ()
        for weight, several in sides:
            alike = [side for _, side in sides if side.keys() == several.keys()]
            kept = [k for k in several if all(self.plan.has(side[k].keys) for side in alike)]
            if not kept:
                return ()
            terms += tuple((weight / len(kept), several[k]) for k in kept)
        return terms

    def _addresses(self, axes: Axes) -> dict[Any, Address]:
        """The numbers whose mean a side is, by keep ratio."""
        config, model = self.plan.matrix.config, axes.get("model")
        if "value" in axes:
            return {None: Address(constant=axes["value"])}
        if model is None:
            raise ValueError(f"a side names no model: {axes}")
        if model == "chance":
            dataset = config.datasets.get(config.roles.datasets.get(axes["dataset"], ""))
            return {None: Address(constant=100 / dataset.images.classes) if dataset else _ABSENT}
        if model not in TICKETS:
            return {None: _strongest((_key(attacked),) for attacked in self._on_dense(axes))}
        if "switch" in axes or "candidates" in axes:
            return {None: self._set(axes)}
        if "keep_ratio" not in axes:
            raise ValueError(f"{model} needs a keep_ratio, a switch or candidates: {axes}")
        ratios = map(float, self._ratios(axes["keep_ratio"]))
        return {k: Address(((_key(axes, k),),)) for k in ratios} or {None: _ABSENT}

    def _on_dense(self, axes: Axes) -> list[Axes]:
        """The axes under each attack: the strongest adversary of a dense has its own."""
        if axes["measure"] != "robust" or axes["attack"] != "strongest":
            return [axes]
        stress = self.plan.matrix.config.experiments.get(stress_test.DENSE)
        entries = stress.evaluate if stress and stress.models else []
        return [axes | {"attack": entry.attack} for entry in entries]

    def _set(self, axes: Axes) -> Address:
        """R2S over a candidate set, against one of its tickets or against the whole set."""
        members = self._ratios(axes.get("switch", axes.get("candidates")))
        if axes["measure"] not in ("robust", "natural"):
            raise ValueError(f"R2S has no {axes['measure']}; allowed is robust or natural: {axes}")
        robust = axes["measure"] == "robust"
        models, measure = _models(axes), Measure(axes["attack"], _eps(axes)) if robust else NATURAL
        if not members:
            return _ABSENT
        if "switch" in axes:
            return Address((switched(models, members, measure).keys,))
        if measure.attack != "strongest":
            return Address((adaptive(models, members, measure).keys,))
        attacks = self._stress(models, members, measure.eps)
        # A config of one seed attacks no other seed's sets; the verdict names what it lacks.
        return _strongest(g for g in attacks if g[0].source_seed != "other" or self.plan.has(g))

    def _stress(
        self, models: Models, members: tuple[float, ...], eps: float | None
    ) -> Iterator[tuple[Key, ...]]:
        """The keys under every attack that the strongest adversary chooses from."""
        experiments = self.plan.matrix.config.experiments
        if stress := experiments.get(stress_test.EXPERIMENT):
            for attack in stress.adaptive:
                yield adaptive(models, members, Measure(attack.attack, eps)).keys
            tickets = [replace(models, keep_ratio=k) for k in members]
            for row, source in itertools.product(stress.transfer, tickets):
                measure = Measure(row.attack, eps)
                rows = (transferred(source, ticket, measure, row.to) for ticket in tickets)
                yield tuple(key for one in rows for key in one.keys)
        if others := experiments.get(stress_test.SEEDS):
            for row in others.adaptive_transfer:
                yield adaptive(models, members, Measure(row.attack, eps), row.to).keys


def _strongest(attacks: Iterable[tuple[Key, ...]]) -> Address:
    """What the attacks leave together."""
    found = tuple(attacks)
    return Address(found) if found else _ABSENT


def group(share: float, nodes: list[Tree | None]) -> Tree | None:
    """The tests that there are, of which a share must come out."""
    here = tuple(node for node in nodes if node is not None)
    return Group(share, here) if here else None


def _models(axes: Axes, keep_ratio: float | None = None) -> Models:
    """The models that are meant, in the config's roles."""
    own = {name: axes[name] for name in DEFAULTS}
    where = (axes["network"], axes["dataset"], axes["model"], keep_ratio)
    return Models(*where, own, axes.get("pretrained_on"))


def _eps(axes: Axes) -> float | None:
    eps = axes.get("attack_eps", axes["trained_eps"])
    return None if eps == "none" else eps


def _key(axes: Axes, keep_ratio: float | None = None) -> Key:
    """The key of a number of single models; an attack is made on them unless a source is named."""
    source, ratio = axes.get("source_model", axes["model"]), axes.get("source_keep_ratio", "own")
    how = {name: axes.get(name) for name in HOW} | {"attack_eps": _eps(axes)}
    how |= {"source_model": source, "source_keep_ratio": keep_ratio if ratio == "own" else ratio}
    how |= {} if source in TICKETS else {"source_keep_ratio": None}
    return _models(axes, keep_ratio).key(**how)


def listed(values: Iterable[Any]) -> str:
    """``0.5 and 0.6``; more than three numbers as ``0.5 … 0.9 (5 values)``."""
    found = list(values)
    numbers = all(isinstance(v, float | int) for v in found)
    words = [f"{v:g}" if numbers else str(v) for v in (sorted(found) if numbers else found)]
    if numbers and len(words) > 3:
        return f"{words[0]} … {words[-1]} ({len(words)} values)"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
