"""The end of a dry run with a profile for SLURM: what will be submitted, instead of every job."""

from __future__ import annotations

import atexit
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar

from snakemake.executors import dryrun

from rst_core.identity import split_cell_path
from workflow.machine import Machine, resources
from workflow.text import table


class Executor(dryrun.Executor):  # type: ignore[misc]
    """A dry run that counts the jobs."""

    #: As if one job could have the minutes that all jobs of a cell may have together.
    machine: ClassVar[Machine]
    slots: ClassVar[int]

    def __init__(self, workflow: Any, logger: Any) -> None:
        super().__init__(workflow, logger)
        self._counts: Counter[str] = Counter()
        self._hours: defaultdict[str, float] = defaultdict(float)
        self._cells = 0

    def printjob(self, job: Any) -> None:
        """Count; print only if commands are asked for (``--printshellcmds``)."""
        if self.workflow.output_settings.printshellcmds:
            super().printjob(job)
        levels = job.toposorted if job.is_group() else [[job]]
        try:
            cells = [[split_cell_path(str(one.output[0]))[1] for one in level] for level in levels]
        except (ValueError, IndexError):  # a table is drawn where Snakemake runs; `all` makes none
            return
        asked = [[resources(cell, self.machine) for cell in level] for level in cells]
        gpus, minutes = share(asked, self.slots)
        found = {one.rule.name for level in levels for one in level}
        rules = sorted(found, key=lambda rule: rule not in _MODELS)
        networks = [cell.model.network for level in cells for cell in level]
        where = min(f"{network.dataset} {network.name}" for network in networks)
        name = f"{' + '.join(rules)}, {where}, {gpus} GPU{'s' if gpus != 1 else ''}"
        self._counts[name] += 1
        self._cells += len(networks)
        self._hours[name] += gpus * min(minutes, self.machine.total) / 60

    def shutdown(self) -> None:
        """Say what was counted, after all that Snakemake has to say."""
        if self._counts:
            atexit.register(print, self.summary(), file=sys.stderr)

    def summary(self) -> str:
        """The overview as text."""
        kinds = [(n, self._hours[name], name) for name, n in self._counts.most_common()]
        of_all = f"in all will be submitted to SLURM, for {self._cells} cells"
        kinds.append((self._counts.total(), sum(self._hours.values()), of_all))
        rows = [[count, f"{hours:,.0f}", name] for count, hours, name in kinds]
        return table(["jobs", "GPU hours at most", "kind"], rows, numbers=(0, 1))


#: Rules that make models, which a job is named after.
_MODELS = ("train", "search", "finetune")


def share(levels: Sequence[Sequence[dict[str, int]]], slots: int) -> tuple[int, int]:
    """GPUs and minutes of a job whose cells use so many GPUs at once, level by level."""
    gpus = minutes = 0
    for level in levels:
        longest_first = sorted(level, key=lambda asked: -asked["runtime"])
        side = max(1, slots // max(asked["gpu"] for asked in level))
        for start in range(0, len(level), side):
            together = longest_first[start : start + side]
            minutes += together[0]["runtime"]
            gpus = max(gpus, sum(asked["gpu"] for asked in together))
    return gpus, minutes


def install(machine: Machine, slots: int) -> None:
    """Let dry runs end with the overview."""
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    Executor.machine = machine.model_copy(update={"longest": machine.total})
    Executor.slots = slots
    ExecutorPluginRegistry().plugins["dryrun"].executor = Executor
