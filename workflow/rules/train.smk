# Dense networks: natural and adversarial training.
rule train:
    input:
        data=lambda wildcards: ancient(manifest(dense_of(wildcards).network)),
    output:
        selected=f"{CELLS}/{{network}}/{{dense}}/{SELECTION}/weights.pt",
        others=[
            f"{CELLS}/{{network}}/{{dense}}/{s}/weights.pt" for s in OTHER_SELECTIONS
        ],
    log:
        "results/logs/{network}/{dense}/train.log",
    benchmark:
        "results/benchmarks/{network}/{dense}/train.tsv"
    group:
        batch(training_of(dense_of))
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(training_of(dense_of)),
    params:
        job=job_flags,
        on=on_own_gpus,
        data=lambda wildcards: dataset_digest(dense_of(wildcards).network),
        flags=lambda wildcards: training_flags(dense_of(wildcards)),
    shell:
        "{params.on} python -m rst_core train {output.selected} --data {input.data} {params.flags}"
        " {params.job} 2> {log}"
