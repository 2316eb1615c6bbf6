# Adaptive attacks against all tickets of a candidate set at once. R2S under attacks on one
# ticket needs no job: it is the mean of transfer rows (workflow/artifacts).
rule adaptive:
    input:
        models=adaptive_models,
        data=lambda wildcards: ancient(manifest(adaptive_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{candidates}}/{{selection}}/{{attack}}.json",
    log:
        "results/logs/{network}/{candidates}/{selection}/{attack}.log",
    group:
        batch(adaptive_of, adaptive_models)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(adaptive_of),
    params:
        job=job_flags,
        on=on_own_gpus,
        failed=if_failed(adaptive_of),
        data=lambda wildcards: dataset_digest(adaptive_of(wildcards).model.network),
        flags=lambda wildcards: attack_flags(adaptive_of(wildcards)),
    shell:
        "{params.on} python -m rst_core attack {output} --data {input.data} {params.flags}"
        " {params.job} 2> {log} || {params.failed} {output} {log}"


# The same attacks carried over to the candidate sets of other seeds.
rule adaptive_transfer:
    input:
        models=set_row_models,
        data=lambda wildcards: ancient(manifest(set_row_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{candidates}}/{{selection}}/{{row}}.json",
    log:
        "results/logs/{network}/{candidates}/{selection}/{row}.log",
    group:
        batch(set_row_of, set_row_models)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(set_row_of),
    params:
        job=job_flags,
        on=on_own_gpus,
        failed=if_failed(set_row_of),
        targets=set_row_targets,
        data=lambda wildcards: dataset_digest(set_row_of(wildcards).model.network),
        flags=lambda wildcards: attack_flags(set_row_of(wildcards)),
    shell:
        "{params.on} python -m rst_core transfer {output} --data {input.data} {params.flags}"
        " --targets {params.targets} {params.job} 2> {log} || {params.failed} {output} {log}"
