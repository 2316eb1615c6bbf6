"""Wrong overrides of the config, made from its schema: none is accepted, each names its key."""

import copy
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.test_config import PAPER, override
from workflow.config import ConfigError, config_schema, read_config
from workflow.config_sentences import part_of

SCHEMA = config_schema()
#: Words that a user of the config never typed.
FOREIGN = (
    "pydantic", "validation error", "<", "Input", "should be", "type=", "_error", "constrained",
    "literal", "list[", "dict[", "tuple[", "dataclass", "Traceback", "Enum",
    "keyword", "NaN ",
)  # fmt: skip
NUMBERS: list[Any] = [math.nan, math.inf, -math.inf, -1, 1e12, True, "many", [], [[1]], {"a": 1}]
WRONG: dict[str, list[Any]] = {
    "number": NUMBERS,
    "integer": [*NUMBERS, 1.5],
    "boolean": [1, 0, "maybe", "no", [], math.nan],
    "string": [3, math.nan, True, [], {}],
    "array": ["many", 3, True, {}, [{}], [[]], [None], [math.nan]],
    "object": [3, "many", [], True, {"nonsense": 1}],
}


def leaves(value: Any, *location: str) -> Iterator[tuple[str, ...]]:
    """Places of one of each kind of key in a config; the rest is the same over again."""
    yield location
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], *location, key)


def kind_of(location: tuple[str, ...]) -> str:
    """The same for two places to which the same part of the schema applies."""
    return json.dumps(part_of(location, SCHEMA), sort_keys=True)


def with_all_keys() -> dict[str, Any]:
    raw = copy.deepcopy(PAPER)
    for name in ("pgd20", "cw_l2", "bandits", "apgd_worst"):
        for key in SCHEMA["$defs"]["AttackEntry"]["properties"]:
            raw["attacks"][name].setdefault(key, None)
    return raw


def sweep() -> list[tuple[str, Any]]:
    """Every kind of key with every value that its type and its range exclude."""
    found = []
    places = [place for place in leaves(with_all_keys()) if place]
    for place in {kind_of(p): p for p in reversed(places)}.values():
        node = part_of(place, SCHEMA)
        kind = node.get("type", "string")
        values = list(WRONG[kind])
        if "enum" in node:
            values.append("nonsense")
        if "minItems" in node:
            values.append([])
        for end, beyond in (("minimum", -1), ("maximum", 1)):
            if end in node:
                values.append(node[end] + beyond)
        values += [node[end] for end in ("exclusiveMinimum", "exclusiveMaximum") if end in node]
        found += [(".".join(place), value) for value in values]
    return found


def pairs(values: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(key, value) for key, of_key in values.items() for value in of_key]


SETS = [[0.05, 0.1]]
FOREIGN_ENTRY = {
    "model": "cifar10/resnet18/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8",
    "file": "theirs.pt",
    "layout": "released",
}
#: By key.
HAND_WRITTEN: dict[str, list[Any]] = {
    "experiments.existence.patterns": [[], ["element", "element"]],
    "experiments.existence.models": [["rst", "rst"], ["rst", "ticket"], ["rst", "untrained"]],
    "experiments.existence.seeds": [[], [2**40]],
    "experiments.existence.eps": [[300], [8, 8], [], [0.1234567]],
    "experiments.existence.keep_ratios": [[0.1234567], [0.1, 1.0000001]],
    "experiments.existence.candidate_sets": [SETS],
    "experiments.existence.adaptive": [[{"attack": "eot_pgd20"}]],
    "experiments.existence.feature_distance": [[2]],
    "experiments.existence.transferred_from": ["cifar10"],
    "experiments.existence.evaluate": [
        [{"attack": "pgd20", "eps": []}], [{"attack": "pgd20", "eps": 8}],
        [{"attack": "pgd20", "eps": "all"}], [{"attack": "pgd20", "eps": [300]}],
        [{"attack": "pgd20"}, {"attack": "pgd20"}], [{"eps": [8]}],
        [{"attack": "pgd20", "epz": [8]}],
    ],
    "experiments.l2.evaluate": [
        [{"attack": "pgd20_l2"}], [{"attack": "pgd20_l2", "eps": [56]}],
        [{"attack": "pgd20_l2", "eps": [0.5, 255]}],
    ],
    "experiments.dense.keep_ratios": [[0.1]],
    "experiments.dense.patterns": [["kernel"]],
    "experiments.features.transfer": [[{"attack": "pgd20", "to": "all"}]],
    "experiments.transferred_svhn.candidate_sets": [SETS],
    "experiments.transferred_svhn.transferred_from": ["svhn", None, "mnist"],
    "experiments.r2s_adaptive.patterns": [["kernel"]],
    "experiments.r2s_adaptive.candidate_sets": [
        [], [[]], [[0.1]], [[0.1, 0.1]], SETS * 2, [[0.1, 0.05], [0.05, 0.1]],
    ],
    "experiments.r2s_adaptive.adaptive": [[]],
    "experiments.r2s_adaptive.models": [["finetuned_inherited"], ["rst", "dense_natural"]],
    "datasets.cifar10.images.std": [[0.2, 0.2, math.inf], [0.2, 0.2, 0], [0.2, 0.2], [1e-12] * 3],
    "datasets.cifar10.images.mean": [[0.5, math.nan, 0.5], [125, 125, 125], [1e-300] * 3],
    "datasets.cifar10.images.crop_padding": [32, 1000],
    "datasets.imagenet.images.crop_padding": [4],
    "datasets.cifar10.images.variant": ["CIFAR11"],
    "datasets.cifar10.images.path": ["", " ", "a\nb", "a\0b"],
    "datasets.cifar10.label": ["", " ", " a", "a\nb", "\x1b[1m", "x" * 61],
    "training.cifar.decay_epochs": [[120, 80], [80, 160], [0]],
    "training.cifar.warmup_epochs": [5],
    "training.imagenet.warmup_epochs": [100],
    "training.imagenet.decay_epochs": [[30]],
    "attacks.pgd20.step_size": [0, 1e-9],
    "attacks.pgd20.step_per_eps": [0.25],
    "attacks.pgd20.tiles": [4],
    "attacks.cw_l2.norm": ["linf"],
    "attacks.cw_l2.constant": [None, 1e-300],
    "attacks.square_expected.restarts": [2],
    "attacks.bandits.probe": [1e-300, 200],
    "training.cifar.lr": [1e-300, 1e-12],
    "attacks.bandits.tiles": [33, 4096],
    "datasets.cifar10.note": [" ", "a\nb", "x" * 201],
    "run": ["x" * 300, "a b", "a\n", "..", "api", "cells", "a/b", "training", " "],
    "networks.resnet50.build.width": [0.5],
    "datasets.cifar10.images.classes": [100],
    "datasets.cifar10.images.image_size": [64],
    "datasets.cifar100.label": ["CIFAR-10"],
    "training.imagenet.decay_factor": [0.5],
    "training.cifra": [{"lr": 0.05}],
    "roles.datasets.cifra10": ["cifar10"],
    "attacks.pgd20_l2_step2.step_size": [56],
    "attacks.fgsm.restarts": [2],
    "experiments.features.models": [["untrained", "dense_natural", "rst"]],
    "experiments.transfer.models": [["rst", "finetuned_inherited"]],
    "experiments.transfer_dense.methods": [["fgsm"], ["pgd7", "fgsm_rs"]],
    "experiments.transfer_dense.eps": [[12]],
    "foreign": [
        *({"a": {**FOREIGN_ENTRY, "file": file}} for file in ("", " ", "a\nb")),
        {"a": FOREIGN_ENTRY, "b": FOREIGN_ENTRY},
        {"a": {**FOREIGN_ENTRY, "model": FOREIGN_ENTRY["model"].replace("0.2", "0.20")}},
    ],
    "attacks.square_expected.norm": ["l2"],
    "seeds": [[0, 0]],
    "transfer_targets": [[0.1, 0.1]],
    "keep_selections": [["last"]],
    "roles.datasets": [{}],
    "experiments": [{"Existence": PAPER["experiments"]["existence"]}],
    "networks": [{"x" * 65: PAPER["networks"]["resnet18"]}],
}  # fmt: skip
MISTAKES = [*sweep(), *pairs(HAND_WRITTEN)]


def refusal(key: str, value: Any) -> str | None:
    """The config's sentences on an override, None if it is accepted."""
    try:
        read_config(override(key, value))
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize("key", sorted({key for key, _ in MISTAKES}))
def test_no_mistake_is_accepted_and_every_sentence_names_its_key(key):
    for value in (value for k, value in MISTAKES if k == key):
        found = refusal(key, value)
        assert found is not None, f"{key}: {value!r} is accepted"
        section, _, name = key.rpartition(".")
        lines = found.splitlines()
        assert all(re.match(r"\w+", line)[0] in SCHEMA["properties"] for line in lines), found
        assert any(line.startswith(section) and name in line for line in lines), found
        for word in FOREIGN:
            assert word not in found, found


RIGHT: dict[str, list[Any]] = {
    "experiments.existence.keep_ratios": [[1, 0.000001, 0.123456]],
    "experiments.existence.eps": [[255, 0.000001]],
    "experiments.existence.patterns": [["kernel"]],
    "experiments.existence.seeds": [[2**32 - 1]],
    "experiments.existence.evaluate": [
        [], [{"attack": "pgd20", "eps": [8, 255]}],
    ],
    "experiments.l2.evaluate": [
        [{"attack": "pgd20_l2", "eps": [55]}], [{"attack": "pgd20_l2", "eps": [0.5]}],
    ],
    "attacks.eot_pgd20.stop_at_success": [True],
    "attacks.bandits.tiles": [32],
    "run": ["x" * 64],
    "foreign": [{"a": FOREIGN_ENTRY}],
    "experiments.dense.eps": [[4, 8]],
    "experiments.transfer_dense": [
        {
            "models": ["dense_adversarial"], "methods": ["fgsm"], "eps": [8, 12],
            "transfer": [{"attack": "pgd20", "to": "tickets_and_dense"}],
        },
        {
            "models": ["dense_natural", "dense_adversarial"], "methods": ["fgsm"],
            "transfer": [{"attack": "pgd20", "to": "other_seeds"}],
        },
    ],
    "experiments.r2s_adaptive.candidate_sets": [[[0.05, 0.07, 0.1, 0.15, 0.2, 0.3], *SETS]],
    "experiments.r2s_sets.candidate_sets": [[]],
    "datasets.cifar10.images.mean": [[0, 1, 0.5]],
    "datasets.cifar10.images.std": [[1, 1, 1e-3]],
    "datasets.cifar10.images.crop_padding": [31],
    "training.cifar.weight_decay": [0, "5e-4"],  # YAML 1.1 makes text of 5e-4
    "training.cifar.decay_epochs": [[], [1, 159]],
    "training.imagenet.warmup_epochs": [99],
    "attacks.pgd20_l2.step_per_eps": [1],
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), pairs(RIGHT))
def test_what_is_right_stays_accepted(key, value):
    assert refusal(key, value) is None
