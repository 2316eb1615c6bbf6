"""A claim as a tree of comparisons: which numbers at which places, and how many must come out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil, inf
from typing import Any, NamedTuple

from rst_core.axes import DEFAULTS
from workflow.artifacts.claims.definitions import Claims, OfExperiment, Test, is_ticket
from workflow.artifacts.claims.numbers import Address, Numbers
from workflow.artifacts.numbers.keyed import Key

Terms = tuple[tuple[float, Address], ...]
Bounds = tuple[float, float]
Axes = dict[str, Any]

#: What an axis is where a claim says nothing: the defaults of config.yaml's experiments.
USUAL: Axes = {
    **DEFAULTS,
    "network": "resnet18",
    "dataset": "cifar10",
    "measure": "robust",
    "attack": "pgd20",
    "source_seed": "own",
}
#: Experiments of the strongest adversary's attacks: on the own set, on other seeds' sets, and on
#: a dense.
STRESS, OTHER_SETS, ON_DENSE = "r2s_stress", "r2s_stress_seeds", "r2s_stress_dense"
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
    def equivalence(self) -> bool:
        """Whether the bounds are a margin around zero."""
        return self.at_least == -self.at_most

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
        whole: False if a part that must come out has no place at all: it cannot be supported.
    """

    tree: Tree | None
    leaves: list[Leaf]
    whole: bool = True

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
    return Compiled(compiler.node(test, {}), compiler.leaves, compiler.whole)


class Compiler:
    """Turns the tests of one claim into a tree; see :func:`compiled`."""

    def __init__(self, claims: Claims, plan: Numbers) -> None:
        self.claims, self.plan = claims, plan
        self.leaves: list[Leaf] = []
        self.whole = True
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
        self.whole &= test.form != "all" or None not in nodes
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

    def address(self, **axes: Any) -> Address:
        """The one number that these axes name."""
        (found,) = self._addresses(USUAL | axes).values()
        return found

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
        if not is_ticket(model):
            return {None: self._single(axes)}
        if "switch" in axes or "candidates" in axes:
            return {None: self._set(axes)}
        if "keep_ratio" not in axes:
            raise ValueError(f"{model} needs a keep_ratio, a switch or candidates: {axes}")
        ratios = map(float, self._ratios(axes["keep_ratio"]))
        return {k: Address(((_key(axes, k),),)) for k in ratios} or {None: _ABSENT}

    def _single(self, axes: Axes) -> Address:
        """A model that is no ticket; the strongest adversary of a dense has its own attacks."""
        if axes["measure"] != "robust" or axes["attack"] != "strongest":
            return Address(((_key(axes),),))
        stress = self.plan.matrix.config.experiments.get(ON_DENSE)
        entries = stress.evaluate if stress and stress.models else []
        groups = tuple((_key(axes | {"attack": entry.attack}),) for entry in entries)
        return Address(groups) if groups else _ABSENT

    def _set(self, axes: Axes) -> Address:
        """R2S over a candidate set, against one of its tickets or against the whole set."""
        members = self._ratios(axes.get("switch", axes.get("candidates")))
        if axes["measure"] != "robust":
            attacks = [axes]
        elif "switch" in axes:
            sources = [axes | {"targets": "tickets", "source_keep_ratio": s} for s in members]
            keys = tuple(_key(row, k) for row in sources for k in members)
            return Address((keys,)) if keys else _ABSENT
        else:
            whole = axes | {"candidates": "+".join(f"{k:g}" for k in members)}
            strongest = axes["attack"] == "strongest"
            attacks = list(self._stress(members, whole)) if strongest else [whole]
        groups = (tuple(_key(attack, k) for k in members) for attack in attacks if members)
        # A config of one seed attacks no other seed's sets; the verdict names what it lacks.
        found = [g for g in groups if g[0].source_seed != "other" or self.plan.has(g)]
        return Address(tuple(found)) if found else _ABSENT

    def _stress(self, members: tuple[Any, ...], whole: Axes) -> Iterator[Axes]:
        """The axes of every attack that the strongest adversary chooses from."""
        experiments = self.plan.matrix.config.experiments
        if stress := experiments.get(STRESS):
            yield from (whole | {"attack": entry.attack} for entry in stress.adaptive)
            for entry, source in itertools.product(stress.transfer, members):
                ticket = {"targets": entry.to, "source_keep_ratio": source, "candidates": None}
                yield whole | ticket | {"attack": entry.attack}
        if others := experiments.get(OTHER_SETS):
            for entry in others.adaptive_transfer:
                other = {"targets": entry.to, "source_seed": "other", "source_keep_ratio": None}
                yield whole | other | {"attack": entry.attack}


def group(share: float, nodes: list[Tree | None]) -> Tree | None:
    """The tests that there are, of which a share must come out."""
    here = tuple(node for node in nodes if node is not None)
    return Group(share, here) if here else None


def _key(axes: Axes, keep_ratio: float | None = None) -> Key:
    """The key of a number, in the config's roles: the axes that model and measure have."""
    model = axes["model"]
    source, ratio = str(axes.get("source_model", model)), axes.get("source_keep_ratio", "own")
    eps = axes.get("attack_eps", axes["trained_eps"])
    lacking = set() if is_ticket(model) and "switch" not in axes else {"candidates"}
    lacking |= {"attack_eps"} if eps == "none" else set()
    lacking |= {"source_keep_ratio"} if not is_ticket(source) else set()
    how = {"attack_eps": eps, "source_model": source}
    how |= {"source_keep_ratio": keep_ratio if ratio == "own" else ratio}
    return Key.asked(axes | how | {"keep_ratio": keep_ratio} | dict.fromkeys(lacking))


def listed(values: Iterable[Any]) -> str:
    """``0.5 and 0.6``; more than three numbers as ``0.5 … 0.9 (5 values)``."""
    found = list(values)
    numbers = all(isinstance(v, float | int) for v in found)
    words = [f"{v:g}" if numbers else str(v) for v in (sorted(found) if numbers else found)]
    if numbers and len(words) > 3:
        return f"{words[0]} … {words[-1]} ({len(words)} values)"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
