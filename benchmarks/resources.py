"""Memory of a step, size of a ticket, fixed cost of a job, cost of the workflow itself."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks import steps
from benchmarks.ratios import Ratio, quotients, seconds
from benchmarks.victim import DIGITS
from rst_core.flags import to_flags
from rst_core.settings import AttackSpec, NetworkSettings, TrainingSettings
from rst_core.spec import Adversary, Network, Ticket
from rst_core.tickets import Head, save_model
from rst_core.trainee import MaskTrainee
from rst_core.vocabulary import (
    Architecture,
    AttackMethod,
    Init,
    Norm,
    Origin,
    Pattern,
    SearchMethod,
    Selection,
)

ROOT = Path(__file__).resolve().parents[1]
NARROW = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=0.125)
NETWORK = Network("digits", "narrow", Init.SIGNED_KAIMING_CONSTANT, 0)


def ticket(keep_ratio: float) -> Ticket:
    """The identity of an RST with the paper's other settings."""
    adversary = Adversary(SearchMethod.PGD7, 8.0)
    return Ticket(NETWORK, Origin.RST, keep_ratio, Pattern.ELEMENT, adversary)


# -- memory ---------------------------------------------------------------------------


def step_memory(variant: str, size: int) -> int:
    """Bytes that this process grew by at its peak while doing two steps; run in its own process."""
    device = torch.device("cpu")
    images, labels = steps.batch(size, 32, device)
    before = _peak()
    model = steps.network(Architecture.PREACT_RESNET18, 1.0, device)
    run = {"ours": steps.ours, "limit": steps.limit}[variant](model)
    for _ in range(2):
        run(images, labels)
    return _peak() - before


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory(rounds: int, size: int = 64) -> list[Ratio]:
    """Peak memory of a search step against that of the dense limit."""
    peaks: dict[str, list[float]] = {"ours": [], "limit": []}
    for _ in range(rounds):
        for variant, found in peaks.items():
            code = f"from benchmarks.resources import *; print(step_memory({variant!r}, {size}))"
            found.append(float(output([sys.executable, "-c", code])))
    values = quotients(peaks["ours"], peaks["limit"])
    remark = f"batch {size}, ours {peaks['ours'][0] / 2**20:.0f} MiB"
    what, against = "peak memory of a search step", "the dense limit's"
    return [Ratio(what, against, values, "at most", 1.25, remark)]


# -- ticket files ---------------------------------------------------------------------


def ticket_files() -> list[Ratio]:
    """Size of a ticket file against the state dict it stands for."""
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18)
    model = steps.network(Architecture.PREACT_RESNET18, 1.0, torch.device("cpu"))
    results = []
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "state_dict.pt"
        torch.save(model.state_dict(), whole)
        for keep_ratio, target in ((0.05, 1 / 60), (0.5, 1 / 20)):
            trainee = MaskTrainee(model, keep_ratio, Pattern.ELEMENT, seed=0)
            path = Path(folder) / f"{keep_ratio}.pt"
            head = Head(10, steps.MEAN, steps.STD)
            save_model(path, ticket(keep_ratio), settings, head, trainee.contents(), {})
            size, full = path.stat().st_size, whole.stat().st_size
            remark = f"{size / 1e6:.2f} MB of {full / 1e6:.2f} MB"
            what, against = f"ticket file at keep ratio {keep_ratio:g}", "its state dict"
            results.append(Ratio(what, against, (size / full,), "at most", target, remark))
    return results


# -- fixed cost of a job --------------------------------------------------------------


def fixed_cost(rounds: int) -> list[Ratio]:
    """Jobs without their work against ``import torch``, all in CPU seconds.

    The attack cell has next to no work: one image, one step. A search has at least an epoch,
    whose seconds are in its metrics and taken off: with one thread, on an idle machine, seconds
    of the clock are those of the CPU.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        recipe = root / "results" / "cells" / ticket(0.2).path
        data = root / "digits.json"
        output([sys.executable, "-m", "rst_core", "data", str(data), *to_flags(DIGITS)])
        _save_some_ticket(recipe / Selection.BEST_VAL / "ticket.pt")
        attack = _attack(recipe / Selection.BEST_VAL / "fgsm-eps8.json", data)
        times: dict[str, list[float]] = {"attack": [], "search": [], "import": []}
        for _ in range(rounds):
            times["attack"].append(cpu_seconds(attack))
            times["search"].append(_search_without_its_epoch(recipe, data))
            times["import"].append(cpu_seconds([sys.executable, "-c", "import torch"]))
    against = 'python -c "import torch"'
    return [
        Ratio(
            f"fixed cost of one {kind} cell", against, quotients(times[kind], times["import"]),
            "at most", 2.0, f"{times[kind][0]:.1f} CPU seconds",
        )
        for kind in ("attack", "search")
    ]  # fmt: skip


def _attack(cell: Path, data: Path) -> list[str]:
    spec = AttackSpec(
        name="fgsm", method=AttackMethod.PGD, norm=Norm.LINF, eps=8, steps=1, step_size=8,
        images=1, seed=0,
    )  # fmt: skip
    job = [str(cell), "--data", str(data), "--threads", "1"]
    return [sys.executable, "-m", "rst_core", "attack", *job, *to_flags(spec)]


def _search_without_its_epoch(recipe: Path, data: Path) -> float:
    """CPU seconds of a search of one epoch, beyond those of the epoch."""
    training = TrainingSettings(epochs=1, batch_size=64, decay_epochs=(), validation_steps=1)
    searched = recipe.with_name(recipe.name.replace("keep0.2", "keep0.5"))
    command = [
        sys.executable, "-m", "rst_core", "search", str(searched / Selection.LAST / "ticket.pt"),
        "--data", str(data), "--threads", "1", "--selections", Selection.LAST.value,
        *to_flags(NARROW), *to_flags(training),
    ]  # fmt: skip
    spent = cpu_seconds(command)
    (line,) = (searched / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    shutil.rmtree(searched)
    return spent - float(json.loads(line)["seconds"])


def _save_some_ticket(path: Path) -> None:
    model = steps.network(Architecture.PREACT_RESNET18, 0.125, torch.device("cpu"))
    trainee = MaskTrainee(model, 0.2, Pattern.ELEMENT, seed=0)
    save_model(path, ticket(0.2), NARROW, Head.of(DIGITS), trainee.contents(), {})


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds, user's and system's, of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


# -- the workflow ---------------------------------------------------------------------


def dry_run() -> list[Ratio]:
    """The full matrix's dry run, in seconds and gigabytes: bounds, not ratios."""
    command = [sys.executable, "-m", "snakemake", "all_cells", "-n", "--quiet", "rules"]
    wall = seconds(lambda: output(command))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    what = "dry run of the full matrix"
    return [
        Ratio(what, "one second", (wall,), "at most", 60),
        Ratio(what, "one gigabyte", (peak,), "at most", 2, "largest child so far"),
    ]


def output(command: list[str]) -> str:
    """What a command prints.

    Raises:
        RuntimeError: if it fails, with the end of what it said.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout
