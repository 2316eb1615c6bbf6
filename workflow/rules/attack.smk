# One attack on one model, over the whole test set.
def evaluation_of(wildcards):
    return cell_named(f"{wildcards.network}/{wildcards.model}/{wildcards.selection}/{wildcards.attack}.json")


def evaluation_models(wildcards):
    return files(MATRIX.loaded(MATRIX.sources(evaluation_of(wildcards))))


rule attack:
    input:
        models=evaluation_models,
        data=lambda wildcards: ancient(manifest(evaluation_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{model}}/{{selection}}/{{attack}}.json",
    log:
        "results/logs/{network}/{model}/{selection}/{attack}.log",
    params:
        data=lambda wildcards: dataset_digest(evaluation_of(wildcards).model.network),
        flags=lambda wildcards: attack_flags(evaluation_of(wildcards)),
    resources:
        gpu=1,
    shell:
        "{PYTHON} -m rst_core attack {output} --data {input.data} {params.flags}"
        " --threads {threads} 2> {log}"
