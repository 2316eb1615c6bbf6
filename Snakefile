"""Robust Scratch Tickets: the paper's experiment matrix as a workflow."""

from os.path import relpath
from pathlib import Path

from snakemake import __version__ as snakemake_version
from snakemake.utils import min_version

min_version("9.27")


# With --directory elsewhere, unless there is one, the project's.
configfile: "config.yaml" if Path("config.yaml").exists() else f"{workflow.basedir}/config.yaml"


report: "workflow/report/workflow.rst"


# Made by `make container`; used with --sdm apptainer (docs/slurm.md).
container: "container/rst.sif"


include: "workflow/rules/setup.smk"
include: "workflow/rules/progress.smk"
include: "workflow/rules/jobs.smk"
include: "workflow/rules/cells.smk"
include: "workflow/rules/run.smk"
include: "workflow/rules/shown.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/measured.smk"
include: "workflow/rules/artifacts.smk"
include: "workflow/rules/report.smk"


# It patches the internals of one version; other versions run without it, more slowly.
if snakemake_version.startswith("9.27."):

    include: "workflow/rules/large.smk"


rule all:
    default_target: True
    input:
        rules.all_tables.input,
        rules.all_figures.input,
        expand(rules.training_curves.output, experiments=ALL),
        rules.claims.output,
        rules.protocol.output,
        files_of(MATRIX.all_cells),


onstart:
    logger.info(f"Snakemake's own log: {', '.join(map(relpath, log))}")
    print_stale()
    check_data_folders()
    check_disk()
    check_scheduler()
    name_cells_in_work()


onsuccess:
    fail_if_cells_failed()


onerror:
    summarise_failures()
