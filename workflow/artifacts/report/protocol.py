"""The protocol page: on what, how, with which code and on which machines the numbers were made."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rst_core.data.manifest import read_manifest
from rst_core.storage import MODEL, checksum, read_header
from rst_core.vocabulary import Selection
from workflow.config import Config
from workflow.config_attacks import ATTACKED, AttackEntry
from workflow.matrix import Matrix
from workflow.text import table

_CHOICE = {
    Selection.BEST_VAL: "The epoch with the best accuracy on held-out training images is "
    "attacked and shown: accuracy under PGD of validation_steps (below) where a model was searched "
    "or trained with attacks, natural accuracy where it was not. The test set chooses nothing.",
    Selection.LAST: "The last epoch is attacked and shown; nothing chooses among epochs.",
    Selection.BEST_TEST: "**The paper's protocol: the epoch was chosen on the test set.** The "
    "numbers are the maximum over epochs on the very images they are measured on.",
}


def config_digest(config: Config) -> str:
    """What tells two configs apart, defaults filled in: twelve hexadecimal digits."""
    return checksum(config.model_dump(mode="json"))[:12]


def _provenance(files: Iterable[Path], read: Callable[[Path], Any]) -> list[dict[str, Any]]:
    """Of those files that exist; one that cannot be read says nothing."""
    found = []
    for path in files:
        try:
            found.append(dict(read(path)["provenance"]))
        except (OSError, ValueError, LookupError, TypeError):
            continue
    return found


def protocol(matrix: Matrix, cells: Iterable[Path], root: Path = Path()) -> str:
    """The page, as Markdown.

    Args:
        matrix: the config's.
        cells: their files, from which code and machines are read.
        root: the folder that holds ``results``, where manifests and models are looked for.
    """
    config = matrix.config
    bases = (base for cell in matrix.all_cells() for base in matrix.input_models(cell))
    models = [root / matrix.file(base) for base in dict.fromkeys(matrix.loaded(bases))]
    parts = [
        "## Protocol",
        _stand_ins(config),
        "### Which epoch",
        _CHOICE[config.selection],
        "### Data",
        _data(matrix, root),
        "Validation images are held out of the training images by a seed of the dataset, the "
        "same for all models; normalisation is part of the model.",
        "### Networks",
        _networks(config),
        "### Seeds",
        f"{', '.join(map(str, config.seeds))}. A number is the mean over seeds, its spread the "
        "sample standard deviation; an experiment may name seeds of its own.",
        "### Search and training",
        _training(config),
        "### Attacks",
        _attacks(config),
        "### Code and machines",
        _made(
            _provenance(cells, lambda path: json.loads(path.read_bytes())),
            _provenance(models, lambda path: read_header(path, MODEL)),
        ),
        f"Config digest (defaults filled in): `{config_digest(config)}`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _stand_ins(config: Config) -> str:
    datasets = [config.datasets[name] for name in config.roles.datasets.values()]
    pairs = [f"{d.label} for {d.stand_in_for}" for d in datasets if d.stand_in_for]
    if not pairs:
        return ""
    return (
        f"**Made on stand-in data: {'; '.join(dict.fromkeys(pairs))}.** Numbers made on them say "
        "nothing about the paper's, and no difference to the paper is shown for them."
    )


def _data(matrix: Matrix, root: Path) -> str:
    config, rows = matrix.config, []
    for role, name in config.roles.datasets.items():
        entry = config.datasets[name]
        images = entry.images
        manifest = root / matrix.manifest(name)
        counts = read_manifest(manifest).images if manifest.is_file() else {}
        stand_in = f"**stand-in for {entry.stand_in_for}**" if entry.stand_in_for else "itself"
        rows.append(
            [
                role,
                f"{entry.label} (`{name}`)",
                "; ".join(filter(None, [stand_in, entry.note])),
                counts.get("train", "?"),
                f"{images.validation_images} (seed {images.validation_seed})",
                counts.get("test", "?"),
                images.classes,
                f"{images.image_size} px",
            ]
        )
    header = ["role", "played by", "which is", "training images", "validation images"]
    return table([*header, "test images", "classes", "side"], rows)


def _networks(config: Config) -> str:
    rows = []
    for role, name in config.roles.networks.items():
        build = asdict(config.networks[name].build)
        rows.append([role, f"{config.networks[name].label} (`{name}`)", *build.values()])
    return table(["role", "played by", *build], rows)


def _training(config: Config) -> str:
    used = {config.datasets[name].training for name in config.roles.datasets.values()}
    settings = {name: asdict(one) for name, one in config.training.items() if name in used}
    values = zip(*(map(_shown, one.values()) for one in settings.values()), strict=True)
    names = next(iter(settings.values()))
    rows = [[name, *shown] for name, shown in zip(names, values, strict=True)]
    return table(["setting", *settings], rows)


def _attacks(config: Config) -> str:
    measured = {
        entry.attack
        for experiment in config.experiments.values()
        for key in ATTACKED
        for entry in getattr(experiment, key)
    }
    rows = []
    for name, entry in config.attacks.items():
        if name in measured:
            text = ", ".join(f"{key} {_shown(value)}" for key, value in _parameters(entry).items())
            rows.append([f"{entry.label} (`{name}`)", text])
    return table(["attack", "settings; L∞ sizes in 1/255"], rows)


def _parameters(entry: AttackEntry) -> dict[str, Any]:
    """All parameters that its method takes, also those that are left to their defaults."""
    spec = entry.at_any_size().described()
    if entry.step_per_eps is not None:
        spec["step_size"] = f"{entry.step_per_eps:g} eps"
    return {key: value for key, value in spec.items() if key not in ("name", "eps", "seed")}


def _made(made: Sequence[dict[str, Any]], models: Sequence[dict[str, Any]]) -> str:
    if not made:
        return "No cells yet."
    hours = sum(p.get("wall_seconds", 0) for p in made) / 3600
    times = sorted(p[key] for p in made for key in ("started", "finished") if key in p)
    rows = [
        ["git commit (`+changes`: edited since)", _tally(made, "revision", "cells")],
        ["git commit of the models", _tally(models, "revision", "models") or "not there any more"],
        ["rst_core", _tally(made, "rst_core", "cells")],
        ["torch", _tally(made, "torch", "cells")],
        ["Python", _tally(made, "python", "cells")],
        ["computed in", _tally(made, "precision", "cells")],
        ["models were trained in", _tally(models, "precision", "models") or "not there any more"],
        ["device", _tally(made, "device", "cells")],
        ["CPU", _tally(made, "cpu", "cells")],
        ["its instructions", _tally(made, "cpu_capability", "cells")],
        *([["first start, last end", f"{times[0]}, {times[-1]}"]] if times else []),
        ["time of all cells together", f"{hours:.2f} h, without search and training"],
    ]
    return table(["what", f"in {len(made)} cells"], rows)


def _tally(provenance: Sequence[dict[str, Any]], key: str, of: str) -> str:
    counts = Counter(str(one.get(key, "unknown")) for one in provenance).most_common()
    return "; ".join(f"{value} ({count} {of})" for value, count in counts)


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
