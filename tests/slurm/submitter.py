"""A project whose Snakemake submits to a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.conftest import CELLS, Project
from tests.slurm.cluster import Cluster
from tests.slurm.processes import tail

#: Seconds that anything may take on two cores that others use, too.
PATIENCE = 1200

#: One RST whose search can be interrupted several times, and its evaluation.
RECIPE = "rst-keep0.2-element-pgd7-eps8"
TICKET = f"{CELLS}/{RECIPE}/best_val/ticket.pt"


@dataclass
class Run:
    """A Snakemake at work."""

    process: subprocess.Popen[bytes]
    log: Path
    cluster: Cluster

    @property
    def text(self) -> str:
        """Everything it has said so far."""
        return self.log.read_text(errors="replace")

    def state(self) -> str:
        """What it and its jobs said last, and what SLURM says of them."""
        logs = sorted((self.log.parent / ".snakemake" / "slurm_logs").glob("*.log"))
        jobs = [f"{log.name}:\n{tail(log)}" for log in logs]
        return "\n".join((self.text[-6000:], *jobs, self.cluster.status()))

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition while the workflow runs."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, f"ended before {what}:\n{self.text[-6000:]}"
            assert time.monotonic() < end, f"no {what} in {PATIENCE} s:\n{self.state()}"
            self.cluster.tend()
            time.sleep(0.2)

    def finish(self, patience: float = PATIENCE) -> int:
        """Wait for its end; the exit status."""
        end = time.monotonic() + patience
        while self.process.poll() is None:
            assert time.monotonic() < end, f"no end in {patience} s:\n{self.state()}"
            self.cluster.tend()
            time.sleep(0.5)
        return self.process.returncode


@dataclass
class Submitter:
    """A project and the cluster that its jobs go to."""

    project: Project
    cluster: Cluster
    runs: list[Run] = field(default_factory=list)

    def machine(self, **changes: Any) -> None:
        """Write the machine file: small jobs, and what a test wants otherwise."""
        file = self.project.folder / "slurm" / "machine.yaml"
        machine = yaml.safe_load(file.read_text()) | {"device": "auto"}  # the GPUs are pretended
        for kind in machine["kinds"].values():
            kind |= {"mem_mb": 1000, "cpus": 1, "minutes": 20}
        file.write_text(yaml.safe_dump(machine | changes))

    def start(
        self,
        *words: str,
        config: Sequence[str] = ("tiny.yaml",),
        path: str | None = None,
        pause: int = 2,
    ) -> Run:
        """Start Snakemake with the slurm profile, looking at its jobs every few seconds."""
        environment = self.cluster.environment | ({} if path is None else {"PATH": path})
        log = self.project.folder / f"snakemake{len(list(self.project.folder.glob('*.log')))}.log"
        command = [
            sys.executable, "-m", "snakemake", *words, "--profile", "slurm",
            "--slurm-init-seconds-before-status-checks", str(pause), "--latency-wait", "20",
            # A Snakemake ends only when its last timespan is over.
            "--max-jobs-per-timespan", "10/1s", "--configfile", *config,
        ]  # fmt: skip
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=self.project.folder,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.runs.append(Run(process, log, self.cluster))
        return self.runs[-1]

    def end(self) -> None:
        """Kill what is still at work."""
        for run in self.runs:
            if run.process.poll() is None:
                os.killpg(run.process.pid, signal.SIGKILL)
                run.process.wait()

    def epochs(self, recipe: str = RECIPE) -> int:
        """Epochs that a search has finished so far."""
        folder = CELLS.replace("results/cells", "results/checkpoints")
        metrics = self.project.folder / folder / recipe / "metrics.jsonl"
        return len(metrics.read_text().splitlines()) if metrics.exists() else 0

    def slurm_logs(self) -> str:
        """What jobs have written so far that have not succeeded yet."""
        logs = (self.project.folder / ".snakemake" / "slurm_logs").glob("*.log")
        return "\n".join(log.read_text(errors="replace") for log in sorted(logs))

    def read_log(self, name: str = f"{RECIPE}/search.log") -> str:
        """A job's log."""
        folder = CELLS.replace("results/cells", "results/logs")
        return (self.project.folder / folder / name).read_text(errors="replace")
