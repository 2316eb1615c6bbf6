# Training curves of the models of an experiment, or of all experiments in one job: drawing a
# figure takes less time than starting a job for it. They run where Snakemake runs.
localrules:
    training_curves,


rule training_curves:
    input:
        shows(
            lambda wildcards: trained_cells(MATRIX, wildcards.experiments),
            lambda wildcards: f"{RESULTS}/pages/{training_overview(wildcards.experiments)}.html",
        ),
    output:
        figures=directory(f"{RESULTS}/training/{{experiments}}"),
        pages=report(
            directory(f"{RESULTS}/pages/training/{{experiments}}"),
            patterns=["{label}.html"],
            caption="../report/training.rst",
            category=page_category,
            labels=page_labels,
        ),
        page=report(
            f"{RESULTS}/pages/{training_overview('{experiments}')}.html",
            caption="../report/training.rst",
            category=page_category,
            labels=page_labels,
        ),
    log:
        f"{RESULTS}/logs/training/{{experiments}}.log",
    wildcard_constraints:
        experiments="|".join([ALL, *MATRIX.config.experiments]),
    conda:
        "../envs/rst.yaml"
    script:
        "../scripts/show.py"
