"""What a dataset's manifest says about the part of the paper that the dataset plays."""

from __future__ import annotations

from pathlib import Path

from rst_core.data.manifest import OFFICIAL, read_manifest
from workflow.config import Config


def marked(config: Config, manifests: Path) -> Config:
    """The config, in which a dataset with other counts than the official ones is a stand-in.

    So it carries its mark ("6,187 of 60,000 images") wherever a stand-in carries its own. One
    that already is a stand-in, or has no manifest yet, stays as it is.

    Args:
        config: of the matrix.
        manifests: folder of the datasets' manifests.

    Raises:
        FileError: naming the manifest that cannot be used.
    """
    datasets = dict(config.datasets)
    for role, name in config.roles.datasets.items():
        entry, path = datasets[name], manifests / f"{name}.json"
        if entry.stand_in_for or not path.is_file():
            continue
        if mark := read_manifest(path).mark(role):
            note = "; ".join(filter(None, [mark, entry.note]))
            update = {"stand_in_for": OFFICIAL[role][0], "note": note}
            datasets[name] = entry.model_copy(update=update)
    return config.model_copy(update={"datasets": datasets})
