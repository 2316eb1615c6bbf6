# Load each dataset once, fetch it if need be, and write down what was found.
localrules:
    data,


rule data:
    output:
        "results/data/{dataset}.json",
    log:
        "results/logs/data/{dataset}.log",
    conda:
        "../envs/rst.yaml"
    params:
        flags=lambda wildcards: words(
            to_flags(MATRIX.config.datasets[wildcards.dataset].images)
        ),
    shell:
        "python -m rst_core data {output} --download {params.flags} > {log} 2>&1"
