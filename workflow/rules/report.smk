# The protocol's page, and everything from the cells that exist now. They run where Snakemake
# runs, and only read cells.

PARTIAL = f"{RESULTS}/partial"


localrules:
    protocol,
    partial,


rule protocol:
    input:
        shows(
            lambda wildcards: MATRIX.all_cells(),
            lambda wildcards: f"{RESULTS}/pages/{PROTOCOL}.html",
        ),
    output:
        report(
            f"{RESULTS}/pages/{PROTOCOL}.html",
            caption="../report/protocol.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        f"{RESULTS}/logs/pages/protocol.log",
    conda:
        "../envs/rst.yaml"
    script:
        "../scripts/show.py"


rule partial:
    """Make tables, figures and claims from the cells that exist now, in their folder partial.

    Starts no computing job, needs none, and leaves complete results alone. While another
    Snakemake works in this folder say --nolock: without it, the other's lock would go when
    this ends. Cells that cannot be read are named and left out.
    """
    input:
        always(f"{PARTIAL}/pages"),
    output:
        claims=directory(f"{PARTIAL}/claims"),
        tables=directory(f"{PARTIAL}/tables"),
        figures=directory(f"{PARTIAL}/figures"),
        training=directory(f"{PARTIAL}/training"),
        pages=report(
            directory(f"{PARTIAL}/pages"),
            patterns=["{label}.html"],
            caption="../report/partial.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        f"{RESULTS}/logs/partial.log",
    conda:
        "../envs/rst.yaml"
    script:
        "../scripts/show.py"
