"""What a cell asks of a machine: GPUs, CPUs, memory and time, from a profile's table.

Science is in config.yaml; this is the other half. Nothing here changes a result, so nothing
here makes a finished cell run again.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rst_core.spec import (
    CandidateSet,
    Cell,
    Dense,
    Evaluation,
    FineTuned,
    TrainingCell,
    TransferRow,
)
from workflow.config import ConfigError

#: Minutes that a calibration predicts for a cell on one GPU; None where it says nothing.
Predicted = Callable[[Cell], float | None]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kind(_Section):
    """What a kind of cell needs on the smallest network and images of the paper."""

    minutes: int = Field(gt=0, description="time limit of the first attempt")
    mem_mb: int = Field(gt=0, description="host memory of the first attempt")
    cpus: int = Field(gt=0)


class Scale(_Section):
    """What a network, a dataset or an attack changes about it."""

    minutes: float = Field(default=1, gt=0, description="factor")
    mem_mb: float = Field(default=1, gt=0, description="factor")
    cpus: float = Field(default=1, gt=0, description="factor")
    gpus: int = Field(default=1, gt=0, description="GPUs of one node that share the cell")


class Machine(_Section):
    """A profile's machine.yaml."""

    account: str = ""
    partition: str = ""
    gpu_type: str = Field(default="", description="TYPE in --gpus=TYPE:N; empty: any")
    device: str = Field(default="", description="cuda: a job whose node has no GPU fails at once")
    time: float = Field(default=1, gt=0, description="factor on the table's minutes")
    calibration: str = Field(
        default="", description="file of 'rst calibrate': minutes follow from it; empty: the table"
    )
    margin: float = Field(default=3, ge=1, description="factor on the calibration's minutes")
    least: int = Field(default=10, gt=0, description="minutes of the shortest cells then")
    longest: int = Field(gt=0, description="the partition's time limit in minutes")
    batched: int = Field(ge=0, description="evaluations of up to so many minutes share jobs")
    kinds: dict[str, Kind]
    attacks: dict[str, Scale] = {}
    networks: dict[str, Scale] = {}
    datasets: dict[str, Scale] = {}

    @property
    def site(self) -> dict[str, str]:
        """Where all jobs go, as Snakemake's resources."""
        named = {
            "slurm_account": self.account,
            "slurm_partition": self.partition,
            "gpu_model": self.gpu_type,
        }
        return {name: value for name, value in named.items() if value}


def read_machine(path: Path) -> Machine:
    """Read a machine file.

    Raises:
        ConfigError: if it cannot be used, with a sentence for every problem.
    """
    try:
        machine = Machine.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"machine is {str(path)!r}, which cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        sentences = (
            f"{path}: {'.'.join(map(str, e['loc']))} is {e['input']!r}: {e['msg']}"
            for e in error.errors()
        )
        raise ConfigError("\n".join(sentences)) from None
    missing = sorted(set(KINDS) - set(machine.kinds))
    if missing:
        raise ConfigError(f"{path}: kinds lacks {', '.join(missing)}; it needs each kind of cell")
    return machine


#: Kinds of cells that ask for different things.
KINDS = ("train", "search", "finetune", "attack", "transfer", "adaptive", "features")


def kind_of(cell: Cell) -> str:
    """The kind of a cell: the name of the rule that makes it."""
    match cell:
        case TrainingCell(model=Dense()):
            return "train"
        case TrainingCell(model=FineTuned()):
            return "finetune"
        case TrainingCell():
            return "search"
        case TransferRow():
            return "transfer"
        case Evaluation(model=CandidateSet()):
            return "adaptive"
        case Evaluation():
            return "attack"
    return "features"


def resources(
    cell: Cell,
    machine: Machine,
    attempt: int = 1,
    sharing: int = 1,
    predicted: Predicted = lambda cell: None,
) -> dict[str, int]:
    """Snakemake's resources of a cell.

    Memory and CPUs of its kind times the factors of its attack, its network and its dataset;
    minutes likewise, or as a calibration predicts them, with a margin. The second attempt gets
    twice the time and memory, and so on. No job asks for more time than the partition gives: a
    search that needs more saves its state before that and goes on in the next attempt, and
    leaves room for the evaluations that share its job.

    Args:
        cell: what is made.
        machine: the table.
        attempt: counted from 1.
        sharing: evaluations that may share a job.
        predicted: minutes on one GPU; by default nobody knows.
    """
    kind, network = machine.kinds[kind_of(cell)], cell.model.network
    scales = [
        machine.networks.get(network.name, Scale()),
        machine.datasets.get(network.dataset, Scale()),
    ]
    if isinstance(cell, Evaluation | TransferRow):
        scales.append(machine.attacks.get(cell.attack, Scale()))
    minutes, mem_mb, cpus = machine.time * kind.minutes, float(kind.mem_mb), float(kind.cpus)
    for scale in scales:
        minutes, mem_mb, cpus = minutes * scale.minutes, mem_mb * scale.mem_mb, cpus * scale.cpus
    gpus = max(scale.gpus for scale in scales)
    if (known := predicted(cell)) is not None:
        minutes = max(machine.least, machine.margin * known / gpus)
    longest = machine.longest
    if isinstance(cell, TrainingCell):
        longest = max(longest // 2, longest - sharing * machine.batched)
    elif minutes <= machine.batched:
        longest = machine.batched
    return {
        "gpu": gpus,
        "cpus_per_task": ceil(cpus),
        "mem_mb": ceil(mem_mb * attempt),
        "runtime": min(ceil(minutes * attempt), longest),
    }


def may_share(cell: Cell, machine: Machine, predicted: Predicted = lambda cell: None) -> bool:
    """Whether a cell may share a job: it makes a model, or is too short for one of its own."""
    if isinstance(cell, TrainingCell):
        return True
    return resources(cell, machine, predicted=predicted)["runtime"] <= machine.batched
