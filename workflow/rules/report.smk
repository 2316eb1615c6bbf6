# Claims, training curves, the protocol, and everything from the cells that exist now. They run where
# Snakemake runs, and only read cell files.

PARTIAL = f"{RESULTS}/partial"


localrules:
    claims,
    training_curves,
    protocol,
    partial,
    cells_csv,


# The verdict on every statement of workflow/paper/claims.yaml.
rule claims:
    input:
        shows(cells_of_claims, lambda wildcards: CLAIMS),
    output:
        csv=f"{RESULTS}/claims.csv",
        places=f"{RESULTS}/claims_places.csv",
        html=f"{RESULTS}/claims.html",
        page=page(CLAIMS, "claims"),
    log:
        f"{RESULTS}/logs/claims.log",
    conda:
        "../envs/rst.yaml"
    script:
        "../scripts/show.py"


# Training curves of the models of an experiment, or of all experiments in one job: drawing a
# figure takes less time than starting a job for it.
use rule claims as training_curves with:
    input:
        shows(
            lambda wildcards: trained_cells(MATRIX, wildcards.experiments),
            lambda wildcards: training_overview(wildcards.experiments),
        ),
    output:
        figures=directory(f"{RESULTS}/training/{{experiments}}"),
        pages=pages_in(f"{RESULTS}/pages/training/{{experiments}}", "training"),
        page=page(training_overview("{experiments}"), "training"),
    log:
        f"{RESULTS}/logs/training/{{experiments}}.log",
    wildcard_constraints:
        experiments="|".join([ALL, *MATRIX.config.experiments]),


use rule claims as protocol with:
    input:
        shows(lambda wildcards: MATRIX.all_cells(), lambda wildcards: PROTOCOL),
    output:
        page(PROTOCOL, "protocol"),
    log:
        f"{RESULTS}/logs/pages/protocol.log",


# Tables, figures and claims from the cells that exist now, in their folder partial. It starts no
# computing job, needs none, and leaves complete results alone. While another Snakemake works in
# this folder say --nolock: without it, the other's lock would go when this ends. Cells that cannot
# be read are named and left out.
use rule claims as partial with:
    input:
        always(f"{PARTIAL}/pages"),
    output:
        claims=directory(f"{PARTIAL}/claims"),
        tables=directory(f"{PARTIAL}/tables"),
        figures=directory(f"{PARTIAL}/figures"),
        training=directory(f"{PARTIAL}/training"),
        pages=pages_in(f"{PARTIAL}/pages", "partial"),
    log:
        f"{RESULTS}/logs/partial.log",


# Every number that is measured so far in one file, written whenever it is asked for.
use rule claims as cells_csv with:
    input:
        always(f"{RESULTS}/cells.csv"),
    output:
        f"{RESULTS}/cells.csv",
    log:
        f"{RESULTS}/logs/cells_csv.log",
