"""config.yaml's own numbers are the paper's: written down a second time, each with its source.

[section] is of Fu et al., NeurIPS 2021, letters are its appendices; "released" is the authors'
code. What none of them says is marked as ours. A wanted change is one here too, with its reason.
"""

from dataclasses import asdict

import pytest

from rst_core.settings import TrainingSettings
from tests.test_config import PAPER
from workflow.config import read_config

CONFIG = read_config(PAPER)

#: [B]: 160 epochs, SGD, batch 256, rate 0.1 decayed by 0.1 at epochs 80 and 120, momentum 0.9;
#: weight decay: released. By how many steps an epoch is chosen is ours: the evaluation's 20 [4.1].
CIFAR = {
    "epochs": 160,
    "batch_size": 256,
    "lr": 0.1,
    "schedule": "step",
    "decay_epochs": (80, 120),
    "decay_factor": 0.1,
    "warmup_epochs": 0,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "precision": "tf32",  # released: PyTorch's default on the cards of 2021
    "validation_steps": 20,
}
TRAINING = {
    "cifar": CIFAR,
    "svhn": CIFAR | {"lr": 0.01},  # [I]: "except here the initial learning rate is 0.01"
    "imagenet": CIFAR | {  # [B]: 100 epochs, cosine from 0.256, batch 256, momentum 0.9
        "epochs": 100,
        "lr": 0.256,
        "schedule": "cosine",
        "decay_epochs": (),
        "weight_decay": 2**-15,  # released
        "validation_steps": 7,  # ours
    },
}  # fmt: skip

#: Of the CIFAR-10 training images, in red, green, blue; released for CIFAR-100 too.
CIFAR_NORM = ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))
#: Classes, side, mean and deviation, padding of crops, flips, held-out images (ours).
DATASETS = {
    "cifar10": (10, 32, *CIFAR_NORM, 4, True, 1000),  # released: crops with padding 4, flips
    "cifar100": (100, 32, *CIFAR_NORM, 4, True, 1000),
    "svhn": (10, 32, (0.5,) * 3, (0.5,) * 3, 0, False, 1000),  # released: no augmentation
    # torchvision's statistics; random resized crops in place of padding; flips.
    "imagenet": (1000, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 0, True, 10_000),
}
LABELS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "svhn": "SVHN", "imagenet": "ImageNet"}
#: Role, label and architecture of each network [4.1, 4.3]; all of the paper's width.
NETWORKS = {
    "resnet18": ("ResNet18", "preact_resnet18"),
    "resnet18_released": ("ResNet18 as released", "postact_resnet18"),
    "wideresnet32": ("WideResNet32", "wide_resnet34"),  # 46.2 M weights: depth 34, widening 10
    "imagenet_resnet18": ("ResNet18", "resnet18"),
    "resnet50": ("ResNet50", "resnet50"),
    "resnet101": ("ResNet101", "resnet101"),
}

PGD = {"norm": "linf", "steps": 20, "random_start": True, "restarts": 1, "stop_at_success": True}
APGD = {"method": "apgd", "norm": "linf", "steps": 100, "restarts": 5, "images": 1000}
BANDITS = {  # [B]: the authors' L-infinity defaults: 10,000 queries, image lr 0.01, online lr 100
    "method": "bandits", "norm": "linf", "steps": 5000, "step_size": 2.55, "learning_rate": 100,
    "probe": 0.1, "exploration": 1.0,
}  # fmt: skip


def pgd(method="pgd", step=lambda eps: 2, **changes):
    return lambda eps: {"method": method, **PGD, "step_size": step(eps), **changes}


def fixed(**settings):
    return lambda eps: settings


#: What each attack is called, and what it is at an eps.
ATTACKS = {
    "pgd20": ("PGD-20", pgd()),  # [4.1]; step 2/255, stop at success: released
    "pgd20_small": ("PGD-20", pgd(step=lambda eps: eps / 4)),  # [4.3]; the same share of eps: ours
    "pgd20_full": ("PGD-20, all steps", pgd(stop_at_success=False)),  # ours
    "fgsm": ("FGSM", pgd(step=lambda eps: eps, steps=1, random_start=False)),  # [4.6]
    "fgsm_rs": ("FGSM-RS", pgd(step=lambda eps: 1.25 * eps, steps=1)),  # [4.6] 1.25 eps
    "pgd100": ("PGD-100, 5 restarts", pgd(steps=100, restarts=5, images=1000)),  # ours
    # [B]: "1 search step on c, for 100 iterations, initial constant 0.1, lr 0.01"
    "cw_l2": (
        "CW-L2",
        fixed(method="cw_l2", norm="l2", steps=100, search_steps=1, constant=0.1,
              learning_rate=0.01),
    ),
    # [B]: 100 iterations; AdverTorch's defaults: step 0.01 of [0, 1], random start
    "cw_inf": (
        "CW-Inf", fixed(method="cw_inf", norm="linf", steps=100, step_size=2.55, random_start=True)
    ),
    "auto_attack": ("Auto-Attack", fixed(method="auto_attack", norm="linf")),  # [B]: defaults
    "auto_attack_rand": ("Auto-Attack (rand)", fixed(method="auto_attack_rand", norm="linf")),
    "bandits": ("Bandits", fixed(**BANDITS, tiles=8)),  # tiles: ours, docs/attacks.md
    "bandits_untiled": ("Bandits, no tiles", fixed(**BANDITS, tiles=32)),
    # [5.4] gives no step: 2.5 eps over 20 steps is ours, the fixed ones are guesses at theirs
    "pgd20_l2": (
        "L2-PGD-20, our step of 2.5 ε/20", pgd(norm="l2", step=lambda eps: 2.5 * eps / 20)
    ),
    "pgd20_l2_step15": ("L2-PGD-20, step 15/255", pgd(norm="l2", step=lambda eps: 15 / 255)),
    "pgd20_l2_step2": ("L2-PGD-20, step 2/255", pgd(norm="l2", step=lambda eps: 2 / 255)),
    "eot_pgd20": ("EOT", pgd("eot", stop_at_success=False)),  # [6.3]
    "ensemble_pgd20": ("Ensemble", pgd("ensemble", stop_at_success=False)),  # [6.3]
    # Ours, docs/attacks.md: stronger attacks on R2S.
    "auto_attack_expected": (
        "Auto-Attack (rand), exact expectation",
        fixed(method="auto_attack_expected", norm="linf", images=1000),
    ),
    "apgd_logits": ("APGD, averaged logits", fixed(**APGD, combine="logits")),
    "apgd_probabilities": ("APGD, averaged probabilities", fixed(**APGD, combine="probabilities")),
    "apgd_worst": ("APGD, worst candidate", fixed(**APGD, combine="worst")),
    "square_expected": (
        "Square, expectation", fixed(method="square", norm="linf", steps=5000, images=1000)
    ),
    "auto_attack_stress": (
        "Auto-Attack, first images", fixed(method="auto_attack", norm="linf", images=1000)
    ),
}  # fmt: skip

#: [6.3]: "[5%, 7%, 10%, 15%, 20%, 30%]".
CANDIDATES = [0.05, 0.07, 0.1, 0.15, 0.2, 0.3]
#: [6.1, E]: those of Figures 7, 12 and 13 and of Tables 7 and 9.
TRANSFERRED = [0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.4, 0.6]
#: Keep ratios and eps of searches in each experiment that the paper prints the numbers of.
EXPERIMENTS = {
    "l2": ([0.05, 0.07, 0.1, 0.15, 0.2], [8]),  # Table 2
    "attacks": ([0.05, 0.1, 0.2, 0.3, 0.5, 0.7], [8]),  # Table 6
    "transfer": (TRANSFERRED, [8]),
    "transfer_seeds": (TRANSFERRED, [8]),
    "transfer_rtts": (TRANSFERRED, [8]),
    "r2s": (CANDIDATES, [8]),  # Table 3
    "r2s_rtts": (CANDIDATES, [8]),
    "r2s_adaptive": (CANDIDATES, [8]),  # Table 5
    "r2s_stress": (CANDIDATES, [8]),
    "r2s_attacks": (CANDIDATES, [8]),  # Table 4
    "r2s_sets": ([0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3], [8]),  # Table 8
    "imagenet_resnet50": ([0.4], [2, 4]),  # Table 1
    "imagenet_resnet101": ([0.25], [2, 4]),
}


@pytest.mark.parametrize("name", CONFIG.training)
def test_a_training_recipe_is_the_papers(name):
    assert asdict(CONFIG.training[name]) == TRAINING[name]


def test_what_a_recipe_leaves_out_is_cifars():
    assert asdict(TrainingSettings()) == CIFAR


@pytest.mark.parametrize("name", CONFIG.datasets)
def test_a_dataset_is_normalised_and_augmented_as_in_the_released_code(name):
    entry = CONFIG.datasets[name]
    i = entry.images
    assert DATASETS[name] == (
        i.classes, i.image_size, i.mean, i.std, i.crop_padding, i.flip, i.validation_images,
    )  # fmt: skip
    assert entry.label == LABELS[name]
    assert entry.training == ("cifar" if name.startswith("cifar") else name)
    assert CONFIG.roles.datasets[name] == name
    assert not entry.stand_in_for
    assert i.variant in ("", name.upper())


@pytest.mark.parametrize("name", CONFIG.networks)
def test_a_network_is_the_papers_and_plays_its_own_role(name):
    entry = CONFIG.networks[name]
    assert (entry.label, entry.build.architecture) == NETWORKS[name]
    assert entry.build.width == 1
    assert CONFIG.roles.networks[name] == name


@pytest.mark.parametrize("name", CONFIG.attacks)
@pytest.mark.parametrize("eps", [4.0, 12.0])
def test_an_attack_is_the_papers(name, eps):
    entry = CONFIG.attacks[name]
    label, settings = ATTACKS[name]
    has_eps = entry.method.has_eps
    found = entry.at(name, eps if has_eps else None, 7).described()
    assert found.pop("eps") == (eps if has_eps else None)
    expected = settings(eps) | {"name": name, "seed": 7}
    steps = [one.pop("step_size", 0) for one in (found, expected)]
    assert steps[0] == pytest.approx(steps[1], rel=1e-8)  # 15/255 has ten decimals in the config
    assert found == expected
    assert entry.label == label


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_of_the_papers_ratios_and_eps(name):
    keep_ratios, eps = EXPERIMENTS[name]
    experiment = CONFIG.experiments[name]
    assert sorted(experiment.keep_ratios) == keep_ratios
    assert sorted(experiment.eps) == eps


def test_what_all_experiments_share_is_the_papers():
    assert CONFIG.seeds == [0, 1, 2], "three runs with different random seeds [4.1]"
    assert CONFIG.experiments["l2"].evaluate[0].sizes(8) == [0.5, 1.71, 2], "Table 2"
    assert CONFIG.experiments["larger_eps"].eps == [12, 16], "[5.3]"
    assert CONFIG.experiments["features"].feature_distance == [2, 4, 8, 12, 16], "Figure 4"
    assert CONFIG.attack_batch_size == 500, "ours; the random starts depend on it"
    assert [set(s) for s in CONFIG.experiments["r2s_sets"].candidate_sets] == [
        {0.03, 0.05, 0.07, 0.1},
        {0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3},
        {0.07, 0.1, 0.15, 0.2, 0.3},
    ], "Table 8"


def test_every_entry_of_the_paper_is_in_the_config():
    for told, found in (
        (TRAINING, CONFIG.training),
        (DATASETS, CONFIG.datasets),
        (NETWORKS, CONFIG.networks),
        (ATTACKS, CONFIG.attacks),
    ):
        assert set(told) == set(found)
