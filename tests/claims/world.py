"""The paper's own world: robust and natural accuracies that bear every statement out."""

import pandas as pd

from rst_core.spec import FeatureDistance, TransferRow
from workflow.artifacts.frame import COLUMNS, cell_rows

_DENSE = {
    ("resnet18", "cifar10"): (50.19, 81.73),
    ("wideresnet32", "cifar10"): (52.27, 85.93),
    ("resnet18", "cifar100"): (26.94, 56.88),
    ("wideresnet32", "cifar100"): (29.81, 61.14),
    ("resnet18", "svhn"): (50.0, 90.0),
}
#: Robust points that an RST loses against its dense, by keep ratio; ResNet18.
_LOSS = {
    0.01: 9.0, 0.03: 5.0, 0.05: 3.4, 0.07: 2.6, 0.1: 2.45, 0.15: 2.3, 0.2: 2.08, 0.3: 2.1,
    0.4: 2.3, 0.5: 3.0, 0.6: 4.0, 0.7: 6.0, 0.8: 9.0, 0.9: 12.0,
}  # fmt: skip
_IMAGENET = {"imagenet_resnet18": (37.09, 56.25), "resnet50": (35.24, 53.84)}
_IMAGENET |= {"resnet101": (40.65, 60.56)}
_IMAGENET_4 = {"imagenet_resnet18": (25.46, 50.41), "resnet50": (21.99, 46.36)}
_IMAGENET_4 |= {"resnet101": (26.68, 54.84)}
#: What a model gains in robust and natural accuracy over the RST of its keep ratio.
_GAIN = {
    "rst": (0, 0),
    "finetuned_inherited": (1.6, 1.6),
    "finetuned_reinitialised": (-1.6, -1.6),
    "rtt_adversarial": (2.5, 2.0),
    "rtt_natural": (-3, -2),
    "rtt_transferred": (-2.75, -2),
}
_PATTERN = {"element": 0, "row": -3, "kernel": -6, "channel": -30}
#: Robust accuracy of the two denses under other attacks, less PGD-20's at eps 8.
_ATTACKED = {
    ("auto_attack", 8): (-3.8, -2.6),
    ("auto_attack", 12): (-9.06, -7.3),
    ("cw_inf", 8): (-1.2, 1.89),
    ("cw_inf", 12): (-4.28, -3.05),
    ("cw_l2", None): (2.59, 4.86),
    ("bandits", 8): (16.8, 17.01),
    ("bandits", 12): (13.98, 13.59),
    ("pgd20_l2", 0.5): (13.42, 11.67),
    ("pgd20_l2", 1.71): (-9.34, -15.72),
    ("pgd20_l2", 2): (-11.15, -17.61),
}


def accuracies(row):
    """Robust and natural accuracy of a model under an attack on itself."""
    kind, network = row["model"], row["network"]
    if row["dataset"] == "imagenet":
        return (_IMAGENET if row["trained_eps"] == 2 else _IMAGENET_4)[network]
    robust, natural = _DENSE[network, row["dataset"]]
    wide = network == "wideresnet32"
    attack = (row["attack"], row["attack_eps"])
    if attack[0] not in ("pgd20", "eot_pgd20", "ensemble_pgd20"):
        robust += _ATTACKED[attack][wide]
    if kind == "dense_natural":
        return (0.0, 95.0)
    if kind == "dense_adversarial":
        return (robust, natural)
    k, (gain, natural_gain) = row["keep_ratio"], _GAIN[kind]
    robust -= _LOSS[k] * (0.38 if wide else 1)
    natural -= _LOSS[k] * (0.9 if wide else 1.0) + (0.35 if k == 0.2 else 0)
    if attack[0] != "pgd20":
        robust += 1.5 if attack[0] != "pgd20_l2" else 3 if attack[1] == 0.5 else 6.4
    if wide and k == 0.01 and kind == "finetuned_reinitialised":
        gain = 0.1
    if wide and kind == "finetuned_reinitialised":
        natural_gain = 0.5
    other = (row["init"] != "signed_kaiming_constant") + (row["method"] != "pgd7")
    stronger = row["trained_eps"] - 8
    gain += _PATTERN[row["pattern"]] - 2 * other - stronger
    gain -= stronger / 4 if kind == "rtt_natural" else 0
    natural_gain += _PATTERN[row["pattern"]] - 2 * other
    return (robust + gain, natural + natural_gain)


def made_number(row):
    """The value of one row of the tidy frame."""
    if row["measure"] == "feature_distance":
        share = {"dense_natural": 0.06, "untrained": 0.04, "dense_adversarial": 0.01}
        return share[row["model"]] * row["noise_eps"]
    own, natural = accuracies(row)
    if row["measure"] == "natural":
        return natural
    dense = _DENSE.get((row["network"], row["dataset"]), (0, 0))[0]
    if row["candidates"]:
        return dense + (11.0 if row["network"] == "wideresnet32" else 9.0)
    same = row["source_keep_ratio"] == row["keep_ratio"] and row["source_seed"] == row["seed"]
    if row["kind"] == "TransferRow" and not (same and row["source_model"] == row["model"]):
        return own + 19.0
    return own


def judges(matrix, cell):
    """The models that a cell has results of."""
    if isinstance(cell, TransferRow):
        return [target.model for target in matrix.targets(cell)]
    return getattr(cell.model, "tickets", [cell.model])


def frame_of(matrix, cells, number=made_number):
    """A frame with a number for every result of every cell, without outcomes."""
    rows = []
    for cell in cells:
        record = {"cell": cell.path, "kind": type(cell).__name__}
        if isinstance(cell, FeatureDistance):
            grid = [{"eps": e, "mean": 0.0, "total": 10000} for e in (2.0, 4.0, 8.0, 12.0, 16.0)]
            rows += cell_rows({**record, "results": grid})
            continue
        counts = {"correct": 0, "total": 10000}
        results = []
        for one in judges(matrix, cell):
            total = {"resnet18": 11164352}.get(one.network.name, 46143184)
            kept = int(total * getattr(one, "keep_ratio", 1))
            result = {"model": one.path, "natural": counts, "robust": counts}
            results.append({**result, "parameters": total, "parameters_kept": kept})
        rows += cell_rows({**record, "results": results})
    rows = [{**dict.fromkeys(COLUMNS), **row} for row in rows]
    for row in rows:
        row["value"] = number(row)
    return pd.DataFrame(rows, columns=COLUMNS)
