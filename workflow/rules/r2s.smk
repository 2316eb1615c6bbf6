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
        data=lambda wildcards: dataset_digest(adaptive_of(wildcards).model.network),
        flags=lambda wildcards: attack_flags(adaptive_of(wildcards)),
    shell:
        "python -m rst_core attack {output} --data {input.data} {params.flags}"
        " --threads {threads} --processes {resources.gpu} 2> {log}"


# The same attacks carried over to the candidate sets of other seeds.
rule adaptive_transfer:
    input:
        models=set_row_models,
        data=lambda wildcards: ancient(manifest(set_row_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{candidates}}/{{selection}}/{{row}}.json",
    log:
        "results/logs/{network}/{candidates}/{selection}/{row}.log",
    conda:
        "../envs/rst.yaml"
    resources:
        gpu=1,
    params:
        targets=set_row_targets,
        data=lambda wildcards: dataset_digest(set_row_of(wildcards).model.network),
        flags=lambda wildcards: attack_flags(set_row_of(wildcards)),
    shell:
        "python -m rst_core transfer {output} --data {input.data} {params.flags}"
        " --targets {params.targets} --threads {threads} --processes {resources.gpu} 2> {log}"
