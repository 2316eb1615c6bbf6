"""Robust Scratch Tickets: the paper's experiment matrix as a workflow."""

from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/setup.smk"
include: "workflow/rules/cells.smk"
include: "workflow/rules/flags.smk"
include: "workflow/rules/jobs.smk"
include: "workflow/rules/run.smk"
include: "workflow/rules/shown.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/attack.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/r2s.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/artifacts.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/report.smk"


localrules:
    all,
    all_tables,
    all_figures,
    all_cells,


rule all:
    default_target: True
    input:
        rules.all_tables.input,
        rules.all_figures.input,
        rules.claims.output,
        rules.protocol.output,
        rules.all_cells.input,


onstart:
    check_data_folders()
    check_disk()
    check_scheduler()
    say_who_works()


onsuccess:
    end()


onerror:
    summarise_failures()
