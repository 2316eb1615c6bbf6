# Fine-tuning a ticket's weights under its fixed mask, inherited or re-initialised.
def finetuned_of(wildcards):
    return spec.parse_model(f"{wildcards.network}/{wildcards.finetuned}")


rule finetune:
    input:
        data=lambda wildcards: ancient(manifest(finetuned_of(wildcards).network)),
        bases=lambda wildcards: files(MATRIX.bases(finetuned_of(wildcards))),
    output:
        [f"{CELLS}/{{network}}/{{finetuned}}/{s}/weights.pt" for s in SELECTIONS],
    log:
        "results/logs/{network}/{finetuned}/finetune.log",
    benchmark:
        "results/benchmarks/{network}/{finetuned}/finetune.tsv"
    params:
        data=lambda wildcards: dataset_digest(finetuned_of(wildcards).network),
        flags=lambda wildcards: training_flags(finetuned_of(wildcards)),
    resources:
        gpu=1,
    shell:
        "{PYTHON} -m rst_core finetune {output[0]} --data {input.data} {params.flags}"
        " --threads {threads} 2> {log}"
