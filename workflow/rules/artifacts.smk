# Tables and figures, each an entry of workflow/artifacts/registry.py, and targets of many files.
# They run where Snakemake runs, and only read cell files.


localrules:
    table,
    figure,
    all,
    all_tables,
    all_figures,
    all_cells,


rule table:
    input:
        shows(artifact_cells, artifact_page),
    output:
        csv=f"{RESULTS}/tables/{{artifact}}.csv",
        md=f"{RESULTS}/tables/{{artifact}}.md",
        tex=f"{RESULTS}/tables/{{artifact}}.tex",
        png=f"{RESULTS}/tables/{{artifact}}.png",
        # A folder: the page's name, which is the title, has no wildcard in common with table3.csv.
        page=pages_in(f"{RESULTS}/pages/{{artifact}}", "artifact"),
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


use rule table as figure with:
    output:
        csv=f"{RESULTS}/figures/{{artifact}}.csv",
        png=f"{RESULTS}/figures/{{artifact}}.png",
        pdf=f"{RESULTS}/figures/{{artifact}}.pdf",
        page=pages_in(f"{RESULTS}/pages/{{artifact}}", "artifact"),
    log:
        f"{RESULTS}/logs/figures/{{artifact}}.log",
    wildcard_constraints:
        artifact="|".join(registry.FIGURES),


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
