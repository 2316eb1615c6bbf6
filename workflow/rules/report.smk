# The pages of the report, and everything from the cells that exist now. They run where
# Snakemake runs, and only read cells and artifacts.
localrules:
    page,
    claims_page,
    protocol,
    partial,
    all_pages,


rule page:
    input:
        lambda wildcards: artifact_files(wildcards.label),
    output:
        report(
            "results/pages/{label}.html",
            caption="../report/artifact.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        "results/logs/pages/{label}.log",
    wildcard_constraints:
        label="|".join(map(re.escape, ARTIFACTS)),
    conda:
        "../envs/rst.yaml"
    params:
        code=artifact_code(),
        caption=lambda wildcards: ARTIFACTS[wildcards.label].caption,
    script:
        "../scripts/page.py"


rule claims_page:
    input:
        rules.claims.output.html,
    output:
        report(
            f"results/pages/{CLAIMS}.html",
            caption="../report/claims.rst",
            category="1 Claims",
            labels={"title": CLAIMS},
        ),
    log:
        "results/logs/pages/claims.log",
    conda:
        "../envs/rst.yaml"
    shell:
        "cp {input} {output} 2> {log}"


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


# Everything that the report shows.
rule all_pages:
    input:
        expand(rules.page.output, label=ARTIFACTS),
        rules.claims_page.output,
        rules.protocol.output,


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
