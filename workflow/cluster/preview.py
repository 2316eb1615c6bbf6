"""The end of a dry run with a profile for SLURM: what will be submitted, instead of every job."""

from __future__ import annotations

import atexit
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from snakemake.executors import dryrun

from rst_core.identity import Cell, TrainingCell
from workflow.machine import Machine, kind_of, resources

#: Lines of the overview at most; the rarest kinds share the last one.
LINES = 30


class Executor(dryrun.Executor):  # type: ignore[misc]
    """A dry run that counts the jobs."""

    #: As if one job might take as long as all jobs of a cell together.
    machine: ClassVar[Machine]
    slots: ClassVar[int]
    #: The cell that a job makes; None if it makes none.
    cell_of: ClassVar[Callable[[Any], Cell | None]]

    def __init__(self, workflow: Any, logger: Any) -> None:
        super().__init__(workflow, logger)
        self._counts: Counter[str] = Counter()
        self._hours: defaultdict[str, float] = defaultdict(float)
        self._cells = 0

    def printjob(self, job: Any) -> None:
        """Count; print only if commands are asked for (``--printshellcmds``)."""
        if self.workflow.output_settings.printshellcmds:
            super().printjob(job)
        jobs = job.toposorted if job.is_group() else [[job]]
        levels = [
            [cell for one in level if (cell := type(self).cell_of(one)) is not None]
            for level in jobs
        ]
        cells = [cell for level in levels for cell in level]
        if len(cells) < sum(map(len, jobs)):  # drawn where Snakemake runs
            return
        requests = [[resources(cell, self.machine) for cell in level] for level in levels]
        gpus, minutes = share(requests, self.slots)
        kinds = {kind_of(c): not isinstance(c, TrainingCell) for c in cells}
        where = min(f"{c.model.network.dataset} {c.model.network.name}" for c in cells)
        # Models first.
        made = " + ".join(sorted(kinds, key=lambda kind: (kinds[kind], kind)))
        name = f"{made}, {where}, {gpus} GPU{'s' if gpus != 1 else ''}"
        self._counts[name] += 1
        self._cells += len(cells)
        self._hours[name] += gpus * min(minutes, self.machine.job_minutes) / 60

    def shutdown(self) -> None:
        """Say what was counted, after all that Snakemake has to say."""
        if self._counts:
            atexit.register(print, self.summary(), file=sys.stderr)

    def summary(self) -> str:
        """The overview as text."""
        names = [name for name, _ in self._counts.most_common()]
        rest = names[LINES:]
        lines = [self._line(name, [name]) for name in names[:LINES]]
        if rest:
            lines.append(self._line(f"{len(rest)} other kinds", rest))
        total, hours = self._counts.total(), sum(self._hours.values())
        return "\n".join(
            [
                f"{'jobs':>8} {'GPU hours at most':>18}  kind",
                *lines,
                f"{total:>8} {hours:>18,.0f}  in all will be submitted to SLURM, "
                f"for {self._cells} cells",
            ]
        )

    def _line(self, label: str, names: list[str]) -> str:
        count = sum(self._counts[name] for name in names)
        return f"{count:>8} {sum(self._hours[name] for name in names):>18,.0f}  {label}"


def share(levels: Sequence[Sequence[dict[str, int]]], slots: int) -> tuple[int, int]:
    """GPUs and minutes of a job whose cells use so many GPUs at once, level by level."""
    gpus = minutes = 0
    for level in levels:
        longest_first = sorted(level, key=lambda request: -request["runtime"])
        side = max(1, slots // max(request["gpu"] for request in level))
        for start in range(0, len(level), side):
            together = longest_first[start : start + side]
            minutes += together[0]["runtime"]
            gpus = max(gpus, sum(request["gpu"] for request in together))
    return gpus, minutes


def install(machine: Machine, slots: int, cell_of: Callable[[Any], Cell | None]) -> None:
    """Let dry runs end with the overview."""
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    Executor.machine = machine.model_copy(update={"job_minutes": machine.cell_minutes})
    Executor.slots = slots
    Executor.cell_of = staticmethod(cell_of)
    ExecutorPluginRegistry().plugins["dryrun"].executor = Executor
