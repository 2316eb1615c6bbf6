"""Fill docs/paper-scale.md from what came back from the lent machine.

    python -m measurements.paper_scale.document PARCELS   # take over a machine's parcels first
    python -m measurements.paper_scale.document

Cells, training history and tickets go to measurements/cells, records to
measurements/paper_scale/record. No number in that document is typed in: a test compares.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from measurements.paper_scale import parcel
from measurements.paper_scale.curves import draw, histories, label
from measurements.paper_scale.scale import PAPER
from workflow import measured_page
from workflow.artifacts.frame import read_cells

_HERE, _ROOT = Path(__file__).parent, Path(__file__).parents[2]
DOCUMENT = _ROOT / "docs" / "paper-scale.md"
CURVES = _ROOT / "docs" / "images" / "paper_scale_curves.png"
_PUBLISHED = _ROOT / "workflow" / "paper"
NOT_RUN = "Not run yet: no CUDA device was at hand."


@dataclass(frozen=True)
class Run:
    """What is known of the run.

    Attributes:
        cells: folder of all cells; only those of ``dataset`` are read.
        records: folder of speed.json, schedule.json and record.json.
        dataset: name in cells' paths.
    """

    cells: Path
    records: Path
    dataset: str = PAPER.dataset_name

    def record(self, name: str) -> Any:
        """A record by name, None if there is none."""
        path = self.records / f"{name}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def frame(self) -> pd.DataFrame:
        """All numbers."""
        return read_cells(sorted((self.cells / self.dataset).rglob("*.json")))


COMMITTED = Run(_HERE.parent / "cells", _HERE / "record")


def take_over(parcels: Path, run: Run) -> None:
    """Copy cells, training history, tickets and records out of a machine's parcels."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parcel.unpack(parcels, folder)
        found = [*folder.glob("*.json"), *(folder / "cells").rglob("*.json")]
        found += (folder / "cells").rglob("metrics.jsonl")
        found += (folder / "cells").rglob("best_val/ticket.pt")
        for path in found:
            record = path.parent == folder
            home = run.records if record else run.cells
            target = home / path.relative_to(folder if record else folder / "cells")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


# -- what the paper says ----------------------------------------------------------------


def _published(file: str) -> dict[tuple[str, str], float]:
    with (_PUBLISHED / f"{file}.csv").open(encoding="utf-8") as lines:
        return {(row["row"], row["column"]): float(row["value"]) for row in csv.DictReader(lines)}


def published(model: str, keep_ratio: float | None, measure: str) -> float | None:
    """The paper's accuracy on CIFAR-10 of ResNet18, if it gives it as a number."""
    name = f"{model}@{1 if keep_ratio is None else format(keep_ratio, 'g')}"
    found = _published("fig1").get((f"resnet18/{name}", f"cifar10/{measure}"))
    if found is None and model == "rst" and measure == "robust":
        found = _published("fig7").get((f"{keep_ratio:g}", f"{keep_ratio:g}"))
    return found


def _beside(ours: float, paper: float | None) -> list[str]:
    """Ours, the paper's and the difference."""
    if paper is None:
        return [f"{ours:.2f}", "", ""]
    return [f"{ours:.2f}", f"{paper:.2f}", f"{ours - paper:+.2f}"]


def _markdown(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


# -- the tables -------------------------------------------------------------------------


def machine(run: Run) -> str:
    """Device, versions, date."""
    speed = run.record("speed")
    if speed is None:
        return NOT_RUN
    rates = ", ".join(f"{v / 1e12:.3g} TFLOP/s in {k}" for k, v in speed["matrix_rate"].items())
    return (
        f"{speed['device']}, torch {speed['torch']}, {speed['date'][:10]}. A large matrix product "
        f"of random numbers: {rates} (float32 without TF32). Waits of the host for the GPU: "
        f"{speed['host_waits']}."
    )


def steps(run: Run) -> str:
    """Step times, against the dense limit and against the matrix rate."""
    speed = run.record("speed")
    if speed is None:
        return NOT_RUN
    rows = []
    for found in speed["steps"]:
        name = [found["network"], found["precision"]]
        if "failed" in found:
            rows.append([*name, f"failed: {found['failed']}", "", "", "", "", ""])
            continue
        kinds = ("search", "limit", "search_other_format")
        ours, limit, other = (median(found["seconds"][k]) for k in kinds)
        rate = found["operations"] / ours
        share = rate / speed["matrix_rate"][found["precision"]]
        memory = "" if found["peak_bytes"] is None else f"{found['peak_bytes'] / 2**30:.1f}"
        times = [
            f"{1000 * ours:.1f}",
            f"{1000 * limit:.1f}",
            f"{ours / limit:.2f}",
            f"{1000 * other:.1f}",
        ]
        rows.append([*name, *times, f"{rate / 1e12:.3g} ({100 * share:.0f} %)", memory])
    heads = [
        "network", "precision", f"search step of {speed['batch']}, ms", "dense limit, ms", "ratio",
        "in the other memory format, ms", "TFLOP/s (share of the matrix rate)", "peak GiB",
    ]  # fmt: skip
    return f"{_markdown(heads, rows)}\n\n{_masks(speed['masks'])}"


def _masks(found: dict[str, Any]) -> str:
    """What all masks of a step take, as they are found and in other ways."""
    if "failed" in found:
        return f"Masks were not measured: {found['failed']}."
    ways = ", ".join(f"{name} {1000 * seconds:.2f}" for name, seconds in found.items())
    return f"All masks of a step, ms by the way their thresholds are found: {ways}."


def schedule(run: Run) -> str:
    """The length of the trainings, and why."""
    found = run.record("schedule")
    if found is None:
        return NOT_RUN
    decays = " and ".join(str(epoch) for epoch in found["decay_epochs"]) or "never"
    seconds = found["epoch_seconds"]
    expected, kept = f"{found['seconds']:.0f} s", f"{found['reserved']:.0f} s"
    return (
        f"{found['epochs']} of the paper's {found['paper_epochs']} epochs, the learning rate "
        f"decays at {decays}. Decided by the measured speed: an epoch of a search was expected to "
        f"take {seconds['search']:.1f} s, of dense training {seconds['dense']:.1f} s; "
        f"{expected} were left, {kept} of them kept for measurements, and everything up to "
        f"stage {found['until_stage']} was to fit. "
        f"torch.compile was {'used' if found['compiled'] else 'not used'}."
    )


def accuracies(run: Run) -> str:
    """Natural and PGD-20 accuracy of every model and epoch, beside the paper's."""
    frame = run.frame()
    own = frame[(frame["kind"] == "Evaluation") & (frame["attack"] == "pgd20")]
    if own.empty:
        return NOT_RUN
    hours = {
        name: sum(line["seconds"] for line in lines) / 3600
        for name, lines in histories(run.cells / run.dataset).items()
    }
    rows = []
    for cell, group in own.groupby("cell"):
        first = group.iloc[0]
        path, _, selection = str(cell).rpartition("/")[0].rpartition("/")
        keep_ratio = None if pd.isna(first["keep_ratio"]) else float(first["keep_ratio"])
        values = group.set_index("measure")["value"]
        shown = [
            text
            for measure in ("natural", "robust")
            for text in _beside(
                float(values[measure]), published(str(first["model"]), keep_ratio, measure)
            )
        ]
        order = (not label(path).startswith("dense"), label(path), selection)
        rows.append((order, [label(path), selection, *shown, f"{hours.get(path, 0):.3f}"]))
    heads = ["model", "epoch", "natural, %", "paper", "", "PGD-20, %", "paper", "", "hours"]
    return _markdown(heads, [row for _, row in sorted(rows)])


def transfer(run: Run) -> str:
    """Transfer matrices with the paper's numbers in brackets, and R2S as their mean."""
    frame = run.frame()
    rows = frame[(frame["kind"] == "TransferRow") & (frame["measure"] == "robust")]
    if rows.empty:
        return NOT_RUN
    paper = _published("fig7")
    parts = []
    for attack, group in rows.groupby("attack"):
        matrix = group.pivot_table(index="source_keep_ratio", columns="keep_ratio", values="value")

        values = {(k, j): matrix.at[k, j] for k in matrix.index for j in matrix.columns}

        def shown(at: tuple[Any, Any], values: dict[Any, Any] = values) -> str:
            beside = paper.get((f"{at[0]:g}", f"{at[1]:g}"))
            return f"{values[at]:.1f}" + (f" ({beside:g})" if beside else "")

        heads = [f"{attack}: made on", *(f"{k:g}" for k in matrix.columns)]
        body = [[f"{k:g}", *(shown((k, j)) for j in matrix.columns)] for k in matrix.index]
        text = f"{_markdown(heads, body)}\n\n"
        if len(matrix.index) == len(matrix.columns):
            text += f"Mean, which is R2S under {attack}: {matrix.to_numpy().mean():.2f} %."
        else:
            text += "Rows are missing, so there is no R2S yet."
        parts.append(text)
    return "\n\n".join(parts)


def other_attacks(run: Run) -> str:
    """Adaptive attacks on R2S, and Auto-Attack, beside the paper's."""
    frame = run.frame()
    found = frame[
        (frame["kind"] == "Evaluation")
        & (frame["measure"] == "robust")
        & (frame["attack"] != "pgd20")
    ]
    if found.empty:
        return NOT_RUN
    paper = _published("table6")
    rows = []
    for (attack, cell), group in found.groupby(["attack", "cell"]):
        first = group.iloc[0]
        if pd.isna(first["candidates"]):
            model = label(str(cell).rpartition("/")[0].rpartition("/")[0])
            name = "dense" if pd.isna(first["keep_ratio"]) else f"rst@{first['keep_ratio']:g}"
            beside = paper.get((f"resnet18/{name}", f"cifar10/{attack}-eps8"))
        else:
            model, beside = f"R2S of {str(first['candidates']).replace('+', ', ')}", None
        rows.append(
            [
                str(attack),
                model,
                f"{first['total']:,}",
                *_beside(float(group["value"].mean()), beside),
            ]
        )
    return _markdown(["attack", "model", "images", "accuracy, %", "paper", ""], rows)


def pieces(run: Run) -> str:
    """Where the time went, and what was not done."""
    lines = run.record("record")
    if lines is None:
        return NOT_RUN
    short = [{**line, "what": line["what"].removeprefix(f"{run.dataset}/")} for line in lines]
    rows = [[str(x["stage"]), x["what"], x["ended"], f"{x['seconds']:.0f}"] for x in short]
    total = sum(line["seconds"] for line in lines) / 60
    return f"{_markdown(['stage', 'what', 'ended', 's'], rows)}\n\nIn all {total:.1f} minutes."


def figure(run: Run) -> str:
    """The picture, if there is one."""
    if not histories(run.cells / run.dataset):
        return NOT_RUN
    return "![Accuracies on validation images over epochs](images/paper_scale_curves.png)"


TABLES: dict[str, Callable[[Run], str]] = {
    "machine": machine,
    "steps": steps,
    "schedule": schedule,
    "accuracies": accuracies,
    "curves": figure,
    "transfer": transfer,
    "other_attacks": other_attacks,
    "pieces": pieces,
}


def filled(text: str, run: Run = COMMITTED) -> str:
    """The document with every marked part made anew."""
    return measured_page.filled(text, lambda part: TABLES[part](run))


def main() -> None:
    """Take over parcels if there are any, draw the curves and fill the document."""
    for parcels in sys.argv[1:]:
        take_over(Path(parcels), COMMITTED)
    cells = COMMITTED.cells / COMMITTED.dataset
    if histories(cells):
        remark = "CIFAR-10 compressed as JPEG; 1,000 validation images held out of the training set"
        draw(cells, CURVES, remark=remark, steps=PAPER.training.validation_steps)
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
