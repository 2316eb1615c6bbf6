"""An axis that is accepted is used, or refused: every artifact, every axis, another value."""

from __future__ import annotations

from functools import cache

import pytest

from rst_core.axes import METHOD_AXES, METHOD_KEYS
from rst_core.identity import Evaluation
from rst_core.vocabulary import Init
from tests.artifacts.made_up import made_up
from tests.conftest import ROOT
from tests.test_config import extended
from workflow.artifacts.coverage import AXES, problems
from workflow.artifacts.make import write
from workflow.artifacts.registry import ARTIFACTS, TABLES
from workflow.config import ConfigError, read_config
from workflow.config_attacks import Measurement, TransferMeasurement
from workflow.matrix import Matrix

#: Values that an axis may get, of which the first that it has not is added.
MORE = {
    "models": ["dense_natural", "rst", "rtt_natural", "rtt_adversarial", "finetuned_inherited"],
    "networks": ["wideresnet32", "resnet18", "resnet50"],
    "datasets": ["cifar100", "svhn", "cifar10"],
    **{axis.key: list(axis.words) for axis in METHOD_AXES if axis.words},
    "eps": [8.0, 12.0],
    "keep_ratios": [0.05, 0.2, 0.25],
    "candidate_sets": [[0.05, 0.1], [0.07, 0.2]],
    "evaluate": [Measurement(attack=a) for a in ("pgd20", "cw_inf", "fgsm")],
    "transfer": [TransferMeasurement(attack=a, to="tickets") for a in ("cw_inf", "fgsm")],
    "adaptive": [Measurement(attack=a) for a in ("eot_pgd20", "apgd_worst")],
    "adaptive_transfer": [TransferMeasurement(attack="apgd_worst", to="other_seeds")],
    "feature_distance": [1.0],
}


@cache
def demo():
    return Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))


@cache
def with_more(name, axis):
    """The demo's matrix with another value on one axis of one experiment.

    None if there is no other value, or if the config itself refuses it.
    """
    experiment = demo().config.experiments[name]
    values = getattr(experiment, axis)
    more = next((value for value in MORE[axis] if value not in values), None)
    if more is None:
        return None
    raw = demo().config.model_dump(mode="json")
    added = more.model_dump(mode="json") if isinstance(more, Measurement) else more
    raw["experiments"][name][axis] = [*raw["experiments"][name][axis], added]
    try:
        return Matrix(read_config(raw))
    except ConfigError:
        return None


@cache
def refusals(matrix):
    return list(problems(ARTIFACTS.values(), matrix))


@cache
def csvs(matrix, name):
    """The CSV text of the artifacts that name an experiment."""
    named = {n: a for n, a in ARTIFACTS.items() if name in a.experiments}
    frames = made_up(matrix, dict.fromkeys(e for a in named.values() for e in a.experiments))
    return {n: a.build(frames, matrix).to_csv() for n, a in named.items()}


EXPERIMENTS = sorted({e for a in ARTIFACTS.values() for e in a.experiments})


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_another_value_changes_what_is_shown_or_is_refused(name, axis):
    more = with_more(name, axis)
    if more is None:
        return
    if found := refusals(more):
        assert all(text.startswith(f"experiments.{name}") for text in found), found
        return
    if axis != "feature_distance" and set(more.all_cells()) == set(demo().all_cells()):
        return  # other experiments have these cells
    before, after = csvs(demo(), name), csvs(more, name)
    changed = {one for one in before if before[one] != after[one]}
    assert changed
    if axis in METHOD_KEYS:
        assert any(after[one].count("\n") > before[one].count("\n") for one in changed)


@pytest.mark.parametrize("artifact", ARTIFACTS.values(), ids=ARTIFACTS)
@pytest.mark.parametrize("axis", METHOD_KEYS)
def test_no_artifact_keeps_quiet_about_a_method_that_it_does_not_show(artifact, axis):
    for name in artifact.experiments:
        more = with_more(name, axis)
        if more is None or refusals(more):
            continue
        only = set(artifact.cells(more)) - set(artifact.cells(demo()))
        assert only or csvs(more, name)[artifact.name] != csvs(demo(), name)[artifact.name]


@pytest.mark.parametrize(
    "path",
    [
        "config.yaml",
        "demo/matrix.yaml",
        "configs/weekend.yaml",
        *(f"measurements/cifar10_{name}.yaml" for name in ("6k", "6k_kinds", "50k")),
    ],
)
def test_the_matrices_that_come_along_are_shown_in_full(path):
    assert not list(problems(ARTIFACTS.values(), Matrix(read_config(extended(ROOT / path)))))


@pytest.mark.parametrize("artifact", ARTIFACTS.values(), ids=ARTIFACTS)
def test_any_experiment_may_be_left_out_and_what_shows_it_says_so(artifact, tmp_path):
    raw = demo().config.model_dump(mode="json")
    for name in artifact.experiments:
        raw["experiments"][name]["models"] = []
    matrix = Matrix(read_config(raw))
    assert not list(problems([artifact], matrix))
    assert artifact.cells(matrix) == []
    nothing, stem = made_up(demo(), ["dense"]).iloc[:0], tmp_path / artifact.name
    if artifact.name in TABLES:
        write(artifact, nothing, matrix, stem)
        text = stem.with_suffix(".md").read_text()
        assert "not in this matrix" in text or "–: not measured" in text
        return
    picture = artifact.draw(artifact.build(nothing, matrix), matrix)
    texts = [text.get_text() for ax in picture.axes for text in ax.texts]
    assert "not in this matrix" in texts


@pytest.mark.parametrize("name", ["fig7", "table7", "fig2"])
def test_what_is_searched_otherwise_is_shown_and_said(name):
    matrix = Matrix(read_config(extended(ROOT / "measurements" / "cifar10_50k.yaml")))
    cells = ARTIFACTS[name].cells(matrix)
    assert cells
    assert {c.model.adversary.method for c in cells if isinstance(c, Evaluation)} <= {"fgsm_rs"}
    if name == "fig7":
        artifact = ARTIFACTS[name]
        data = artifact.build(made_up(matrix, ["transfer"]), matrix)
        assert data["mean"].notna().all()
        note = " ".join(artifact.draw(data, matrix).get_supxlabel().split())
        assert "searched and trained with FGSM-RS" in note


@pytest.mark.parametrize(
    ("name", "axis", "value"),
    [("existence", "inits", "kaiming_normal"), ("larger_eps", "eps", 20), ("dense", "eps", 12),
     ("features", "networks", "wideresnet32"), ("r2s_stress", "eps", 12),
     ("r2s_adaptive", "candidate_sets", [0.05, 0.1])],
)  # fmt: skip
def test_a_refusal_names_experiment_axis_and_value(name, axis, value, paper):
    raw = paper.config.model_dump(mode="json")
    raw["experiments"][name][axis].append(value)
    found, *_ = problems(ARTIFACTS.values(), Matrix(read_config(raw)))
    value = float(value) if isinstance(value, int) else value
    assert found.startswith(f"experiments.{name}.{axis} has {value}, which ")


def test_an_experiment_that_no_artifact_names_is_free(paper):
    raw = paper.config.model_dump(mode="json")
    raw["experiments"]["mine"] = raw["experiments"]["existence"] | {"inits": list(Init)}
    assert not list(problems(ARTIFACTS.values(), Matrix(read_config(raw))))
