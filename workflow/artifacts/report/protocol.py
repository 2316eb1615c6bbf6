"""The protocol page: on what, how, with which code and on which machines the numbers were made."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rst_core.data.manifest import read_manifest
from rst_core.storage import FileError, read_header
from rst_core.vocabulary import Selection
from workflow.config import Config
from workflow.matrix import Matrix
from workflow.text import table

_CHOICE = {
    Selection.BEST_VAL: "The epoch with the best accuracy on held-out training images is "
    "attacked and shown: PGD-20 accuracy where a model was searched or trained with attacks, "
    "natural accuracy where it was not. The test set chooses nothing.",
    Selection.LAST: "The last epoch is attacked and shown; nothing chooses among epochs.",
    Selection.BEST_TEST: "**The paper's protocol: the epoch was chosen on the test set.** The "
    "numbers are the maximum over epochs on the very images they are measured on.",
}


def config_digest(config: Config) -> str:
    """What tells two configs apart, defaults filled in: twelve hexadecimal digits."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_made(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Provenance of the cells that exist; one that cannot be read says nothing."""
    found = []
    for path in paths:
        try:
            record = json.loads(path.read_bytes())
            found.append(dict(record["provenance"]))
        except (OSError, ValueError, LookupError, TypeError):
            continue
    return found


def read_models(matrix: Matrix, root: Path) -> list[dict[str, Any]]:
    """Provenance of the models under all cells, as far as they are there and can be read."""
    bases = (base for cell in matrix.all_cells() for base in matrix.made_of(cell))
    found = []
    for base in dict.fromkeys(matrix.loaded(bases)):
        try:
            header = read_header(root / matrix.file(base), "Model")
            found.append(dict(header["provenance"]))
        except (OSError, FileError, LookupError, TypeError):
            continue
    return found


def protocol(matrix: Matrix, made: Sequence[dict[str, Any]], root: Path = Path()) -> str:
    """The page, as Markdown.

    Args:
        matrix: the config's.
        made: provenance of the cells, see :func:`read_made`.
        root: the folder that holds ``results``, where datasets' manifests are looked for.
    """
    config = matrix.config
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
        _made(made, read_models(matrix, root)),
        f"Config digest (defaults filled in): `{config_digest(config)}`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _stand_ins(config: Config) -> str:
    played = [config.datasets[name] for name in config.roles.datasets.values()]
    pairs = [f"{d.label} for {d.stand_in_for}" for d in played if d.stand_in_for]
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
        counts = _counts(root / matrix.manifest(name))
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


def _counts(manifest: Path) -> dict[str, int]:
    return read_manifest(manifest).images if manifest.is_file() else {}


def _networks(config: Config) -> str:
    rows = []
    for role, name in config.roles.networks.items():
        entry = config.networks[name]
        build = asdict(entry.build)
        rows.append([role, f"{entry.label} (`{name}`)", *map(str, build.values())])
    return table(["role", "played by", *asdict(entry.build)], rows)


def _training(config: Config) -> str:
    used = {config.datasets[name].training for name in config.roles.datasets.values()}
    settings = {name: asdict(config.training[name]) for name in config.training if name in used}
    keys = list(next(iter(settings.values())))
    rows = [[key, *(_shown(s[key]) for s in settings.values())] for key in keys]
    return table(["setting", *settings], rows)


def _attacks(config: Config) -> str:
    measured = [
        entry.attack
        for e in config.experiments.values()
        for entry in (*e.evaluate, *e.transfer, *e.adaptive)
    ]
    rows = []
    for name in config.attacks:
        if name in measured:
            entry = config.attacks[name]
            described = entry.model_dump(mode="json", exclude={"label"}, exclude_defaults=True)
            told = ", ".join(f"{key} {_shown(value)}" for key, value in described.items())
            rows.append([f"{entry.label} (`{name}`)", told])
    return table(["attack", "settings; L∞ sizes in 1/255"], rows)


def _made(made: Sequence[dict[str, Any]], models: Sequence[dict[str, Any]]) -> str:
    if not made:
        return "No cells yet."
    hours = sum(p.get("wall_seconds", 0) for p in made) / 3600
    rows = [
        [head, "; ".join(f"{value} ({n} cells)" for value, n in _tally(made, key))]
        for head, key in (
            ("git commit (`+changes`: edited since)", "revision"),
            ("rst_core", "rst_core"),
            ("torch", "torch"),
            ("Python", "python"),
            ("device", "device"),
            ("CPU", "cpu"),
            ("its instructions", "cpu_capability"),
        )
    ]
    revisions = "; ".join(f"{value} ({n} models)" for value, n in _tally(models, "revision"))
    rows.insert(1, ["git commit of the models", revisions or "not there any more"])
    times = sorted(p[key] for p in made for key in ("started", "finished") if key in p)
    if times:
        rows.append(["first start, last end", f"{times[0]}, {times[-1]}"])
    rows.append(["time of all cells together", f"{hours:.2f} h, without search and training"])
    return table(["what", f"in {len(made)} cells"], rows)


def _tally(made: Sequence[dict[str, Any]], key: str) -> list[tuple[str, int]]:
    return Counter(str(p.get(key, "unknown")) for p in made).most_common()


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
