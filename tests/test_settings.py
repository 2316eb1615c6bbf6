import dataclasses
import math

import pytest

from rst_core.settings import (
    TrainingSettings,
    check_fits,
    training_attack,
    validation_attack,
)
from rst_core.vocabulary import AttackMethod, Norm, Schedule, SearchMethod
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import DIGITS


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"epochs": 0}, "epochs"),
        ({"lr": math.inf}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"decay_factor": -0.1}, "decay_factor"),
        ({"decay_factor": math.nan}, "decay_factor"),
        ({"decay_factor": 1e-300}, "decay_factor"),
        ({"decay_factor": 0.5, "decay_epochs": ()}, "decay_factor"),
        (
            {"decay_factor": 0.5, "decay_epochs": (), "schedule": Schedule.COSINE},
            "decay_factor",
        ),
        ({"lr": 1e-300}, "lr"),
        ({"momentum": 1.0}, "momentum"),
        ({"momentum": -0.1}, "momentum"),
        ({"weight_decay": math.nan}, "weight_decay"),
        ({"weight_decay": -1e-4}, "weight_decay"),
        ({"warmup_epochs": 5}, "warmup_epochs"),
        ({"schedule": Schedule.COSINE}, "decay_epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"lr": -1.0}, "lr"),
        ({"decay_epochs": (120, 80)}, "decay_epochs"),
        ({"decay_epochs": (200,)}, "decay_epochs"),
        ({"warmup_epochs": 160}, "warmup_epochs"),
        ({"validation_steps": 0}, "validation_steps"),
    ],
)
def test_a_bad_training_setting_names_key_value_and_what_is_allowed(change, key):
    with pytest.raises(ValueError, match=rf"^{key} is .*; (allowed is|leave it out|give it empty)"):
        TrainingSettings(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"warmup_epochs": 5}, "is 5, but schedule step takes no warmup_epochs; leave it out"),
        ({"schedule": Schedule.COSINE}, r"is \[80, 120\], but schedule cosine .*; give it empty"),
        ({"decay_epochs": (), "decay_factor": 0.5}, "is 0.5, but there are no decay_epochs"),
    ],
)
def test_a_training_setting_that_would_do_nothing_is_refused_with_the_reason(change, message):
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": 1},
        {"image_size": 2},
        {"validation_images": 0},
        {"std": (1, 0, 1)},
        {"std": (1, math.inf, 1)},
        {"std": (1, 1e-12, 1)},
        {"classes": 100},
        {"mean": (math.nan, 0.5, 0.5)},
        {"crop_padding": 8},
        {"variant": "roman"},
    ],
)
def test_a_bad_dataset_setting_is_refused(change):
    (key,) = change
    with pytest.raises(ValueError, match=rf"^{key} is .*; allowed is "):
        dataclasses.replace(DIGITS, **change)


def test_search_methods_are_the_papers():
    pgd7 = training_attack(SearchMethod.PGD7, 8)
    assert (pgd7.steps, pgd7.step_size, pgd7.random_start) == (7, 2, True)
    fgsm = training_attack(SearchMethod.FGSM, 8)
    assert (fgsm.steps, fgsm.step_size, fgsm.random_start) == (1, 8, False)
    fgsm_rs = training_attack(SearchMethod.FGSM_RS, 4)
    assert (fgsm_rs.steps, fgsm_rs.step_size, fgsm_rs.random_start) == (1, 5, True)
    assert not any(training_attack(m, 8).stop_at_success for m in SearchMethod)
    for eps, step in ((8, 2), (16, 4), (2, 0.5)):
        chosen_by = validation_attack(eps, 20)
        assert (chosen_by.eps, chosen_by.steps, chosen_by.step_size) == (eps, 20, step)
        assert chosen_by.random_start
    assert training_attack(SearchMethod.PGD7, 16).step_size == 2, "as in the released code"


@pytest.mark.parametrize(
    ("method", "change", "message"),
    [
        ("pgd", {"eps": None}, "eps is None; allowed is a size, in 1/255"),
        ("pgd", {"eps": 300.0}, "eps is 300.0; allowed is a number from 0 to 255"),
        ("pgd", {"eps": math.nan}, "eps is nan; allowed is a number from 0 to 255"),
        ("pgd", {"step_size": 0.0}, "step_size is 0.0; allowed is a positive number from"),
        ("pgd", {"step_size": 1e-9}, "step_size is 1e-09; allowed is a positive number from 1e-06"),
        ("pgd", {"restarts": 2, "random_start": False}, "restarts is 2; allowed is 1 without rand"),
        ("eot", {"restarts": 2, "random_start": False}, "restarts is 2; allowed is 1 without rand"),
        ("bandits", {"step_size": 0.0}, "step_size is 0.0; allowed is a positive number"),
        ("pgd", {"tiles": 4}, "tiles is 4, but pgd takes no tiles; leave it out"),
        ("pgd", {"images": 0}, "images is 0; allowed is a number from 1 to 10,000,000"),
        ("cw_l2", {"eps": 0.5}, "eps is 0.5, but cw_l2 takes no eps; leave it out"),
        ("cw_l2", {"constant": None}, "constant is None; allowed is a number from 1e-06 to 10,000"),
        ("cw_l2", {"norm": Norm.LINF}, "allowed is l2 for cw_l2"),
        ("cw_inf", {"restarts": 2}, "restarts is 2, but cw_inf takes no restarts"),
        ("cw_inf", {"stop_at_success": False}, "stop_at_success is False, but cw_inf takes no"),
        ("auto_attack", {"steps": 5}, "steps is 5, but auto_attack takes no steps"),
        ("bandits", {"norm": Norm.L2}, "allowed is linf for bandits"),
        ("apgd", {"combine": None}, "combine is None; allowed is one of losses, logits"),
        ("square", {"combine": "worst"}, "but square takes no combine"),
        ("auto_attack_expected", {"norm": Norm.L2}, "allowed is linf for auto_attack_expected"),
        ("bandits", {"tiles": 0}, "tiles is 0; allowed is a number from 1 to 4,096"),
    ],
)
def test_a_parameter_that_a_method_lacks_or_needs_is_named(method, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(EXAMPLES[AttackMethod(method)], **change)


@pytest.mark.parametrize(
    ("spec", "side", "message"),
    [
        (EXAMPLES[AttackMethod.BANDITS], 3, "tiles is 4; allowed is 1 to 3 on images of 3 x 3"),
        (
            dataclasses.replace(EXAMPLES[AttackMethod.PGD], norm=Norm.L2, eps=14.0),
            8,
            "eps is 14.0; allowed is at most 13.86 on images of 8 x 8 pixels",
        ),
        (dataclasses.replace(EXAMPLES[AttackMethod.BANDITS], probe=14.0), 8, "probe is 14.0; "),
        (
            dataclasses.replace(EXAMPLES[AttackMethod.PGD], norm=Norm.L2, eps=2.0, step_size=14.0),
            8,
            "step_size is 14.0; allowed is at most 13.86 on images of 8 x 8 pixels",
        ),
    ],
)
def test_an_attack_that_is_larger_than_the_images_is_refused(spec, side, message):
    with pytest.raises(ValueError, match=message):
        check_fits(spec, side)
    check_fits(spec, 2 * side)
    check_fits(EXAMPLES[AttackMethod.PGD], 1)


def test_a_record_shows_the_parameters_that_a_method_has_and_no_others():
    shown = {m: set(spec.described()) for m, spec in EXAMPLES.items()}
    common = {"name", "method", "norm", "eps", "seed"}
    assert shown[AttackMethod.AUTO_ATTACK] == common
    assert shown[AttackMethod.CW_INF] == common | {"steps", "step_size", "random_start"}
    assert "tiles" in shown[AttackMethod.BANDITS]
    assert "tiles" not in shown[AttackMethod.PGD]
    fewer = dataclasses.replace(EXAMPLES[AttackMethod.PGD], images=3)
    assert fewer.described()["images"] == 3
