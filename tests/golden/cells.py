"""What the cells of the small demo measure (tests/slurm/small_demo.py), one of every kind.

Snakemake makes them for the tests on SLURM, which compare them with the record. After a wanted
change ``python -m tests.golden.cells`` makes them in one process, in half a minute, and records
them; the commit says why.
"""

from __future__ import annotations

import copy
import json
import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import yaml
from snakemake.utils import update_config

from rst_core.identity import Cell, TrainingCell, TransferRow
from rst_core.job.cells import make, make_data_manifest
from rst_core.job.commands import COMMANDS, parser
from tests.slurm.demo import records
from tests.slurm.small_demo import DEMO, small_demo
from tests.test_config import extended
from workflow.config import read_config
from workflow.matrix import Matrix

EXPECTED = Path(__file__).with_name("cells.json")
#: Of each judge natural and robust ``counts`` ``of`` so many images, or ``distances`` of each eps.
Numbers = dict[str, dict[str, list[float]]]

#: On a CPU of other instructions sums round otherwise, a search multiplies that, and images are
#: near a boundary of models that were hardly trained. Without vector instructions
#: (ATEN_CPU_CAPABILITY=default, ONEDNN_MAX_CPU_ISA=SSE41) 12 of 168 counts were others, by one
#: image each, and a trained network's distances moved by 11 %. With one or two weights more in
#: every layer's mask 51 counts were.
IMAGES_APART, COUNTS_APART, DISTANCES_APART = 1, 0.2, 0.25


def numbers(folder: Path) -> Numbers:
    """The results of all cells below a project's folder, without where and when they were made."""
    return {
        path.partition("cells/")[2]: _numbers(record["results"])
        for path, record in records(folder).items()
    }


def _numbers(results: list[dict[str, Any]]) -> dict[str, list[float]]:
    if "mean" in results[0]:
        distances = [float(f"{one['mean']:.4g}") for one in results]
        return {"of": [one["eps"] for one in results], "counts": [], "distances": distances}
    counts = [one[measure]["correct"] for one in results for measure in ("natural", "robust")]
    return {"of": [one["robust"]["total"] for one in results], "counts": counts, "distances": []}


def expected() -> Numbers:
    """The record."""
    found: Numbers = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return found


def apart(found: Numbers) -> list[str]:
    """A sentence for every cell that is not as recorded; none if all are, up to rounding."""
    known = expected()
    if found.keys() != known.keys():
        return [f"only here, or only recorded: {path}" for path in found.keys() ^ known.keys()]
    wrong = [
        f"{path} has {found[path]}, recorded are {one}"
        for path, one in known.items()
        if not _alike(one, found[path])
    ]
    pairs = [
        pair
        for path in known
        for pair in zip(known[path]["counts"], found[path]["counts"], strict=False)
    ]
    moved = sum(one != other for one, other in pairs)
    if moved > COUNTS_APART * len(pairs):
        wrong.append(f"{moved} of {len(pairs)} counts are not those recorded")
    return wrong


def _alike(one: dict[str, list[float]], other: dict[str, list[float]]) -> bool:
    if one["of"] != other["of"]:
        return False
    counts = zip(one["counts"], other["counts"], strict=True)
    distances = zip(one["distances"], other["distances"], strict=True)
    return all(abs(a - b) <= IMAGES_APART for a, b in counts) and all(
        math.isclose(a, b, rel_tol=DISTANCES_APART) for a, b in distances
    )


def make_cells(matrix: Matrix, cells: Iterable[Cell], root: Path) -> None:
    """Make cells and what they need below ``root``, as the rules' commands would."""
    for cell in cells:
        path, data = root / matrix.file(cell), root / matrix.manifest(cell.model.network.dataset)
        if path.is_file():
            continue
        make_cells(matrix, matrix.loaded(matrix.input_models(cell)), root)
        if not data.is_file():
            make_data_manifest(data, data.stem, matrix.dataset(data.stem).images, download=False)
        kind = type(cell.model if isinstance(cell, TrainingCell) else cell)
        (command,) = (n for n, c in COMMANDS.items() if kind in c.makes and n != "import")
        words = ["--data", str(data), "--settings", matrix.document(cell)]
        if isinstance(cell, TransferRow):
            files = [str(root / matrix.file(target)) for target in matrix.targets(cell)]
            words += ["--targets", *files]
        make(COMMANDS[command].job(parser(None).parse_args([command, str(path), *words])))


def small() -> Matrix:
    """The matrix of the small demo."""
    raw = copy.deepcopy(extended(DEMO))
    update_config(raw, yaml.safe_load(yaml.safe_dump(small_demo())))
    return Matrix(read_config(raw))


def record() -> None:
    """Make all cells, and write down their numbers."""
    torch.set_num_threads(1)
    matrix = small()
    with tempfile.TemporaryDirectory() as folder:
        make_cells(matrix, matrix.all_cells(), Path(folder))
        found = numbers(Path(folder))
    lines = ",\n".join(f"{json.dumps(path)}: {json.dumps(one)}" for path, one in found.items())
    EXPECTED.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    record()
