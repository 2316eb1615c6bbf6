# Tables and figures, each an entry of workflow/artifacts/registry.py, and their pages in the
# report. They run where Snakemake runs, and only read cell files. A page is in a folder of its
# own because its name, Table 3.html, has no wildcard in common with table3.csv.
localrules:
    table,
    figure,


rule table:
    input:
        lambda wildcards: files(registry.TABLES[wildcards.artifact].cells(MATRIX)),
    output:
        csv="results/tables/{artifact}.csv",
        md="results/tables/{artifact}.md",
        tex="results/tables/{artifact}.tex",
        png="results/tables/{artifact}.png",
        page=report(
            directory("results/pages/{artifact}"),
            patterns=["{label}.html"],
            caption="../report/artifact.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        "results/logs/tables/{artifact}.log",
    wildcard_constraints:
        artifact="|".join(registry.TABLES),
    conda:
        "../envs/rst.yaml"
    params:
        code=artifact_code(),
        config=shown_config(),
        caption=lambda wildcards: ARTIFACTS[wildcards.artifact].caption,
    script:
        "../scripts/artifact.py"


rule figure:
    input:
        lambda wildcards: files(registry.FIGURES[wildcards.artifact].cells(MATRIX)),
    output:
        csv="results/figures/{artifact}.csv",
        png="results/figures/{artifact}.png",
        pdf="results/figures/{artifact}.pdf",
        page=report(
            directory("results/pages/{artifact}"),
            patterns=["{label}.html"],
            caption="../report/artifact.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        "results/logs/figures/{artifact}.log",
    wildcard_constraints:
        artifact="|".join(registry.FIGURES),
    conda:
        "../envs/rst.yaml"
    params:
        code=artifact_code(),
        config=shown_config(),
        caption=lambda wildcards: ARTIFACTS[wildcards.artifact].caption,
    script:
        "../scripts/artifact.py"


rule all_tables:
    input:
        expand(rules.table.output, artifact=registry.TABLES),


rule all_figures:
    input:
        expand(rules.figure.output, artifact=registry.FIGURES),


# The measured cells of one experiment: cells_existence, cells_finetuning, ...
for experiment in MATRIX.config.experiments:

    rule:
        name:
            f"cells_{experiment}"
        input:
            files(MATRIX.cells(experiment)),


# Every measured cell of every experiment.
rule all_cells:
    input:
        files(MATRIX.all_cells()),
