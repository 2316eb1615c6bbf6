# Config, machine and matrix, the shell that jobs run in, and what wildcards look like.
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from rst_core.vocabulary import Selection
from workflow.config import ConfigError, read_config, read_yaml
from workflow.machine import read_machine
from workflow.matrix import Matrix

# Snakemake puts the interpreter's path into the shell commands of scripts without quotes.
if any(map(str.isspace, sys.executable)):
    raise WorkflowError(
        f"the environment's Python is {sys.executable!r}, whose path has a space; tables and "
        "figures cannot be drawn with it, so move the project to a path without spaces "
        "and run make install there"
    )

try:
    # Profiles for schedulers name a machine file; without one a job asks for a GPU only.
    MACHINE_FILE = config.pop("machine", None)
    MACHINE = read_machine(Path(MACHINE_FILE)) if MACHINE_FILE else None
    # Snakemake takes a key that stands twice in a file.
    for file in workflow.configfiles:
        read_yaml(Path(file))
    MATRIX = Matrix(read_config(config))
except ConfigError as error:
    raise WorkflowError(f"the config cannot be used:\n{error}") from None

# rst_core writes RST_JOB into records and leases; what a scheduler calls the job is known here.
# A scheduler's SIGTERM reaches all processes of a job: the shell waits for its command to leave.
PREFIX = "trap : TERM; export RST_JOB=${{SLURM_JOB_ID:-}}; "
if MACHINE is not None:
    PREFIX += f"export RST_DEVICE=${{{{RST_DEVICE:-{MACHINE.device}}}}}; "
# Jobs run under the very interpreter that runs Snakemake, so that no shell needs an
# activated environment; unless Snakemake was asked to deploy one (--sdm conda, --sdm apptainer).
# In a container the path of that interpreter need not exist, or leads past the container's software.
DEPLOYED = workflow.deployment_settings.deployment_method
PYTHON = "python" if DeploymentMethod.APPTAINER in DEPLOYED else sys.executable
if DEPLOYED.isdisjoint({DeploymentMethod.CONDA, DeploymentMethod.APPTAINER}):
    PREFIX += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(PREFIX)

RESULTS = MATRIX.results
CELLS = f"{RESULTS}/cells"
CHECKPOINTS = Path(RESULTS, "checkpoints")

SELECTION = MATRIX.config.selection

# Datasets that cells of this run read; their folders are checked before any job starts.
DATASETS_IN_USE = set()


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
