# One row of a transfer matrix: adversarial images of one source, judged by many targets.
rule transfer:
    input:
        models=row_models,
        data=lambda wildcards: ancient(manifest(row_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{model}}/{{selection}}/{{row}}.json",
    log:
        "results/logs/{network}/{model}/{selection}/{row}.log",
    group:
        batch(row_of, row_models)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(row_of),
    params:
        job=job_flags,
        on=on_own_gpus,
        failed=if_failed(row_of),
        targets=row_targets,
        data=lambda wildcards: dataset_digest(row_of(wildcards).model.network),
        flags=lambda wildcards: attack_flags(row_of(wildcards)),
    shell:
        "{params.on} python -m rst_core transfer {output} --data {input.data} {params.flags}"
        " --targets {params.targets} {params.job} 2> {log} || {params.failed} {output} {log}"
