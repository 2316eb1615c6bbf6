# Fine-tuning a ticket's weights under its fixed mask, inherited or re-initialised.
rule finetune:
    input:
        data=lambda wildcards: ancient(manifest(finetuned_of(wildcards).network)),
        bases=lambda wildcards: files(MATRIX.bases(finetuned_of(wildcards))),
    output:
        selected=f"{CELLS}/{{network}}/{{finetuned}}/{SELECTION}/weights.pt",
        others=[
            f"{CELLS}/{{network}}/{{finetuned}}/{s}/weights.pt"
            for s in OTHER_SELECTIONS
        ],
    log:
        "results/logs/{network}/{finetuned}/finetune.log",
    benchmark:
        "results/benchmarks/{network}/{finetuned}/finetune.tsv"
    group:
        batch(training_of(finetuned_of))
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(training_of(finetuned_of)),
    params:
        job=job_flags,
        on=on_own_gpus,
        data=lambda wildcards: dataset_digest(finetuned_of(wildcards).network),
        flags=lambda wildcards: training_flags(finetuned_of(wildcards)),
    shell:
        "{params.on} python -m rst_core finetune {output.selected} --data {input.data} {params.flags}"
        " {params.job} 2> {log}"
