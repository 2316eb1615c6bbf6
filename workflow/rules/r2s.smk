# Adaptive attacks against all tickets of a candidate set at once. R2S under attacks on one
# ticket needs no job: it is the mean of transfer rows (workflow/artifacts).
rule adaptive:
    input:
        models=lambda wildcards: files(
            MATRIX.loaded(MATRIX.sources(adaptive_of(wildcards)))
        ),
        data=lambda wildcards: ancient(manifest(adaptive_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{candidates}}/{{selection}}/{{attack}}.json",
    log:
        "results/logs/{network}/{candidates}/{selection}/{attack}.log",
    conda:
        "../envs/rst.yaml"
    resources:
        gpu=1,
    params:
        job=job_flags,
        data=lambda wildcards: dataset_digest(adaptive_of(wildcards).model.network),
        flags=lambda wildcards: attack_flags(adaptive_of(wildcards)),
    shell:
        "python -m rst_core attack {output} --data {input.data} {params.flags}"
        " {params.job} 2> {log}"
