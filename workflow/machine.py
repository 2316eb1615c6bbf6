"""What a cell asks of a machine: GPUs, CPUs, memory and time, from a profile's table.

Science is in config.yaml; this is the other half. Nothing here changes a result, so nothing
here makes a finished cell run again.
"""

from __future__ import annotations

import json
from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from rst_core.identity import CandidateSet, Cell, Evaluation, TrainingCell, TransferRow
from rst_core.job.commands import COMMANDS
from rst_core.job.recipe import ImportRecipe
from rst_core.vocabulary import Device
from workflow.config import ConfigError, read_yaml
from workflow.config_sentences import sentences
from workflow.config_values import Section

#: Options of sbatch that a site must not override. The last one wins: jobs would not get SIGTERM
#: before the time limit, would be submitted twice, or would hold unused GPUs.
_RESERVED_OPTIONS = {
    "--signal", "--time", "--nodes", "--gpus", "--output", "--job-name", "--comment", "--chdir",
    "--array", "--wait", "--wrap", "--test-only",
}  # fmt: skip


class KindRequest(Section):
    """What a kind of cell needs on the smallest network and images of the paper."""

    minutes: int = Field(gt=0, description="time limit of one job")
    mem_mb: int = Field(gt=0, description="host memory")
    cpus: int = Field(gt=0)


class Factors(Section):
    """What a network, a dataset or an attack changes about it."""

    minutes: float = Field(default=1, gt=0, description="factor")
    mem_mb: float = Field(default=1, gt=0, description="factor")
    cpus: float = Field(default=1, gt=0, description="factor")
    gpus: int = Field(default=1, gt=0, description="GPUs of one node that share the cell")


class Machine(Section):
    """A profile's machine.yaml."""

    account: str = ""
    partition: str = Field(default="", description="one, or several with commas; empty: SLURM's")
    qos: str = ""
    constraint: str = ""
    reservation: str = ""
    gpu_type: str = Field(default="", description="the site's name of a GPU; empty: any")
    gpus_as: Literal["gpus", "gres"] = Field(
        default="gpus", description="gpus: --gpus=TYPE:N; gres: --gres=gpu:TYPE:N"
    )
    options: list[str] = Field(default=[], description="more options of sbatch, each with --")
    device: Device = Field(
        default=Device.AUTO, description="cuda: a job whose node has no GPU fails at once"
    )
    time_factor: float = Field(default=1, gt=0, description="factor on the table's minutes")
    job_minutes: int = Field(gt=0, description="the partition's time limit")
    cell_minutes: int = Field(gt=0, description="of all jobs of one cell together")
    signal_seconds: int = Field(
        default=180, gt=0, description="seconds before its limit at which a job is told to save"
    )
    grace_minutes: int = Field(
        default=10, gt=0, description="minutes without news of a job after which it is named"
    )
    shared_minutes: int = Field(ge=0, description="evaluations of up to so many minutes share jobs")
    kinds: dict[str, KindRequest]
    attacks: dict[str, Factors] = Field({})
    networks: dict[str, Factors] = Field({})
    datasets: dict[str, Factors] = Field({})

    @field_validator("options")
    @classmethod
    def _options(cls, options: list[str]) -> list[str]:
        if wrong := [option for option in options if not option.startswith("--")]:
            raise ValueError(
                f"is {options}; {wrong[0]!r} is no option, allowed are --name=value and --name"
            )
        if wrong := [option for option in options if option.partition("=")[0] in _RESERVED_OPTIONS]:
            raise ValueError(
                f"is {options}; {wrong[0].partition('=')[0]} is set for each job "
                "by the workflow; remove it"
            )
        return options

    @property
    def partitions(self) -> list[str]:
        """The partitions of the list, each without blanks."""
        return [name.strip() for name in self.partition.split(",") if name.strip()]

    @property
    def site(self) -> dict[str, str]:
        """Where all jobs go, as Snakemake's resources."""
        named = {
            "slurm_account": self.account,
            "slurm_partition": ",".join(self.partitions),
            "qos": self.qos,
            "constraint": self.constraint,
        }
        return {name: value for name, value in named.items() if value}

    def request(self, gpus: int, minutes: int) -> list[str]:
        """Options of sbatch that no resource of Snakemake stands for.

        GPUs of one job are on one node: its processes share a cell. Plugin 2.8 takes no GPU type
        with a dash, and asks for no number of nodes.
        """
        # SLURM may send the signal a minute early; a short job keeps most of its time.
        ahead = min(self.signal_seconds, 15 * minutes)
        words = ["--nodes=1", f"--signal=B:TERM@{ahead}"]
        if gpus:
            request = f"{self.gpu_type}:{gpus}" if self.gpu_type else str(gpus)
            words.append(f"--gres=gpu:{request}" if self.gpus_as == "gres" else f"--gpus={request}")
        if self.reservation:
            words.append(f"--reservation={self.reservation}")
        return [*words, *self.options]


def read_machine(path: Path) -> Machine:
    """Read a machine file.

    Raises:
        ConfigError: if it cannot be used, with a sentence for every problem.
    """
    if not path.is_file():
        raise ConfigError(
            f"machine is '{path}', which cannot be read; allowed is a file like slurm/machine.yaml"
        )
    try:
        machine = Machine.model_validate_json(json.dumps(read_yaml(path), default=str))
    except ValidationError as error:
        found = sentences(error, Machine.model_json_schema())
        raise ConfigError("\n".join(f"{path}: {sentence}" for sentence in found)) from None
    missing = sorted(set(KINDS) - set(machine.kinds))
    if missing:
        raise ConfigError(f"{path}: kinds lacks {', '.join(missing)}; it needs each kind of cell")
    return machine


#: The commands that make cells; a foreign model is called like one that is made here.
_COMMANDS = {n: c.makes for n, c in COMMANDS.items() if c.makes and c.recipe is not ImportRecipe}
#: Kinds of cells that need different things.
KINDS = (*_COMMANDS, "adaptive")


def kind_of(cell: Cell) -> str:
    """The kind of a cell: the command that makes it; ``adaptive`` attacks a whole candidate set."""
    if isinstance(cell, Evaluation) and isinstance(cell.model, CandidateSet):
        return "adaptive"
    made = cell.model if isinstance(cell, TrainingCell) else cell
    return next(name for name, kinds in _COMMANDS.items() if isinstance(made, kinds))


def resources(cell: Cell, machine: Machine) -> dict[str, int]:
    """Snakemake's resources of a cell.

    Minutes, memory and CPUs of its kind times the factors of its attack, its network and its
    dataset. No job asks for more time than the partition gives: a cell that needs more saves its
    state before that and continues in the next job.
    """
    kind, network = machine.kinds[kind_of(cell)], cell.model.network
    factors = [
        machine.networks.get(network.name, Factors()),
        machine.datasets.get(network.dataset, Factors()),
    ]
    if isinstance(cell, Evaluation | TransferRow):
        factors.append(machine.attacks.get(cell.attack, Factors()))
    minutes, mem_mb, cpus = machine.time_factor * kind.minutes, float(kind.mem_mb), float(kind.cpus)
    for factor in factors:
        minutes, mem_mb, cpus = minutes * factor.minutes, mem_mb * factor.mem_mb, cpus * factor.cpus
    return {
        "gpu": max(factor.gpus for factor in factors),
        "cpus_per_task": ceil(cpus),
        "mem_mb": ceil(mem_mb),
        "runtime": min(ceil(minutes), machine.job_minutes),
    }


def may_share(cell: Cell, machine: Machine) -> bool:
    """Whether a cell may share a job: it makes a model, or is too short for one of its own."""
    if isinstance(cell, TrainingCell):
        return True
    return resources(cell, machine)["runtime"] <= machine.shared_minutes
