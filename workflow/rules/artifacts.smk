# Tables and figures, each an entry of workflow/artifacts/registry.py, and their pages in the
# report. They run where Snakemake runs, and only read cell files. A page is in a folder of its
# own because its name, the title, has no wildcard in common with table3.csv.


localrules:
    table,
    figure,


rule table:
    input:
        shows(artifact_cells, artifact_page),
    output:
        csv=f"{RESULTS}/tables/{{artifact}}.csv",
        md=f"{RESULTS}/tables/{{artifact}}.md",
        tex=f"{RESULTS}/tables/{{artifact}}.tex",
        png=f"{RESULTS}/tables/{{artifact}}.png",
        page=report(
            directory(f"{RESULTS}/pages/{{artifact}}"),
            patterns=["{label}.html"],
            caption="../report/artifact.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        f"{RESULTS}/logs/tables/{{artifact}}.log",
    wildcard_constraints:
        artifact="|".join(registry.TABLES),
    conda:
        "../envs/rst.yaml"
    params:
        caption=lambda wildcards: ARTIFACTS[wildcards.artifact].caption,
    script:
        "../scripts/show.py"


rule figure:
    input:
        shows(artifact_cells, artifact_page),
    output:
        csv=f"{RESULTS}/figures/{{artifact}}.csv",
        png=f"{RESULTS}/figures/{{artifact}}.png",
        pdf=f"{RESULTS}/figures/{{artifact}}.pdf",
        page=report(
            directory(f"{RESULTS}/pages/{{artifact}}"),
            patterns=["{label}.html"],
            caption="../report/artifact.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        f"{RESULTS}/logs/figures/{{artifact}}.log",
    wildcard_constraints:
        artifact="|".join(registry.FIGURES),
    conda:
        "../envs/rst.yaml"
    params:
        caption=lambda wildcards: ARTIFACTS[wildcards.artifact].caption,
    script:
        "../scripts/show.py"


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
            files_of(functools.partial(MATRIX.cells, experiment)),


# Every measured cell of every experiment.
rule all_cells:
    input:
        files_of(MATRIX.all_cells),
