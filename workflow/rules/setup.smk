# Config, machine and matrix, the shell that jobs run in, and what wildcards look like.
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from rst_core import spec
from rst_core.vocabulary import Selection
from workflow.config import ConfigError, read_config
from workflow.machine import read_machine
from workflow.matrix import CELLS, Matrix
from workflow.plan.calibration import PlanError
from workflow.plan.limits import predicted_minutes

try:
    # Profiles for schedulers name a machine file; without one a job asks for a GPU only.
    MACHINE_FILE = config.pop("machine", None)
    MACHINE = read_machine(Path(MACHINE_FILE)) if MACHINE_FILE else None
    MATRIX = Matrix(read_config(config))
    PREDICTED = lambda cell: None
    if MACHINE and MACHINE.calibration:
        PREDICTED = predicted_minutes(
            Path(MACHINE.calibration), MATRIX, Path("results/data")
        )
except (ConfigError, PlanError) as error:
    raise WorkflowError(f"the config cannot be used:\n{error}") from None

# Cells that share a scheduler's job take turns (slurm/config.yaml). The job starts a Snakemake of
# its own, which is not told of that limit and would ask for the GPUs of all of them at once.
if MACHINE is not None and not workflow.is_main_process:
    workflow.global_resources["turn"] = 1

# rst_core writes RST_JOB into records and leases; what a scheduler calls the job is known here.
PREFIX = "export RST_JOB=${{SLURM_JOB_ID:-}}; "
if MACHINE is not None and MACHINE.device:
    PREFIX += f"export RST_DEVICE=${{{{RST_DEVICE:-{MACHINE.device}}}}}; "
# Jobs run under the very interpreter that runs Snakemake, so that no shell needs an
# activated environment; unless Snakemake was asked to deploy one (--sdm conda).
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    PREFIX += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(PREFIX)

# Second names of finished results, for jobs that find their outputs deleted by Snakemake;
# gone as soon as a workflow has nothing left to do (docs/resuming.md).
FINISHED = Path("results/finished")
CHECKPOINTS = Path("results/checkpoints")

SELECTION = MATRIX.config.selection
OTHER_SELECTIONS = [s for s in MATRIX.config.keep_selections if s != SELECTION]

# Datasets that cells of this run read; their folders are checked before any job starts.
DATASETS_IN_USE = set()


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    network=spec.anonymous(spec.Network.REGEX),
    selection="|".join(Selection),
    attack=spec.anonymous(spec.Evaluation.REGEX),
    row=spec.anonymous(spec.TransferRow.REGEX),
    model="|".join(
        spec.anonymous(kind.REGEX)
        for kind in (spec.Dense, spec.Ticket, spec.FineTuned)
    ),
    dense=spec.anonymous(spec.Dense.REGEX),
    ticket=spec.anonymous(spec.Ticket.REGEX),
    finetuned=spec.anonymous(spec.FineTuned.REGEX),
    candidates=spec.anonymous(spec.CandidateSet.REGEX),
