# The protocol's page, and everything from the cells that exist now. They run where Snakemake
# runs, and only read cells.
import time

from workflow.artifacts.protocol import config_digest


localrules:
    protocol,
    partial,


rule protocol:
    input:
        cells=rules.all_cells.input,
        data=[ancient(f"results/data/{d}.json") for d in datasets_of_cells()],
    output:
        report(
            f"results/pages/{PROTOCOL}.html",
            caption="../report/protocol.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        "results/logs/pages/protocol.log",
    conda:
        "../envs/rst.yaml"
    params:
        code=artifact_code(),
        config=config_digest(MATRIX.config),
    script:
        "../scripts/protocol.py"


rule partial:
    """Make tables, figures and claims from the cells that exist now, in results/partial.

    Starts no computing job, needs none, and leaves complete results alone. While another
    Snakemake works in this folder say --nolock: without it, the other's lock would go when
    this ends. Cells that cannot be read are named and left out.
    """
    output:
        claims=directory("results/partial/claims"),
        tables=directory("results/partial/tables"),
        figures=directory("results/partial/figures"),
        pages=report(
            directory("results/partial/pages"),
            patterns=["{label}.html"],
            caption="../report/partial.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        "results/logs/partial.log",
    conda:
        "../envs/rst.yaml"
    params:
        asked=time.time_ns(),  # never made before, so always made again
    script:
        "../scripts/partial.py"
