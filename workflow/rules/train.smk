# Dense networks: natural and adversarial training.
def dense_of(wildcards):
    return spec.parse_model(f"{wildcards.network}/{wildcards.dense}")


rule train:
    input:
        data=lambda wildcards: ancient(manifest(dense_of(wildcards).network)),
    output:
        [f"{CELLS}/{{network}}/{{dense}}/{s}/weights.pt" for s in SELECTIONS],
    log:
        "results/logs/{network}/{dense}/train.log",
    benchmark:
        "results/benchmarks/{network}/{dense}/train.tsv"
    params:
        data=lambda wildcards: dataset_digest(dense_of(wildcards).network),
        flags=lambda wildcards: training_flags(dense_of(wildcards)),
    resources:
        gpu=1,
    shell:
        "{PYTHON} -m rst_core train {output[0]} --data {input.data} {params.flags}"
        " --threads {threads} 2> {log}"
