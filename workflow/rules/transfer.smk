# One row of a transfer matrix: adversarial images of one source, judged by many targets.
def row_of(wildcards):
    return cell_named(f"{wildcards.network}/{wildcards.model}/{wildcards.selection}/{wildcards.row}.json")


@asked
def row_targets(wildcards):
    return files(MATRIX.targets(row_of(wildcards)))


@asked
def row_models(wildcards):
    row = row_of(wildcards)
    return files(MATRIX.loaded([*MATRIX.sources(row), *MATRIX.targets(row)]))


rule transfer:
    input:
        models=row_models,
        data=lambda wildcards: ancient(manifest(row_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{model}}/{{selection}}/{{row}}.json",
    log:
        "results/logs/{network}/{model}/{selection}/{row}.log",
    params:
        targets=row_targets,
        data=lambda wildcards: dataset_digest(row_of(wildcards).model.network),
        flags=lambda wildcards: attack_flags(row_of(wildcards)),
    resources:
        gpu=1,
    shell:
        "{PYTHON} -m rst_core transfer {output} --data {input.data} {params.flags}"
        " --targets {params.targets} --threads {threads} 2> {log}"
