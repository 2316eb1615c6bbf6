# One attack on one model, over the whole test set.
rule attack:
    input:
        models=evaluation_models,
        data=lambda wildcards: ancient(manifest(evaluation_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{model}}/{{selection}}/{{attack}}.json",
    log:
        "results/logs/{network}/{model}/{selection}/{attack}.log",
    group:
        batch(evaluation_of)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(evaluation_of),
    params:
        job=job_flags,
        on=on_own_gpus,
        failed=if_failed(evaluation_of),
        data=lambda wildcards: dataset_digest(evaluation_of(wildcards).model.network),
        flags=lambda wildcards: attack_flags(evaluation_of(wildcards)),
    shell:
        "{params.on} python -m rst_core attack {output} --data {input.data} {params.flags}"
        " {params.job} 2> {log} || {params.failed} {output} {log}"
