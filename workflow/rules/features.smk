# How far noise moves the features of untrained and dense networks (Figure 4).
rule features:
    input:
        models=lambda wildcards: model_files(features_of(wildcards)),
        data=lambda wildcards: ancient(manifest(features_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{folder}}/feature_distance.json",
    log:
        "results/logs/{network}/{folder}/feature_distance.log",
    wildcard_constraints:
        folder=f"untrained|(?:{spec.anonymous(spec.Dense.REGEX)})/(?:{'|'.join(Selection)})",
    group:
        batch(features_of)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(features_of),
    params:
        job=job_flags,
        on=on_own_gpus,
        failed=if_failed(features_of),
        data=lambda wildcards: dataset_digest(features_of(wildcards).model.network),
        flags=lambda wildcards: features_flags(features_of(wildcards)),
    shell:
        "{params.on} python -m rst_core features {output} --data {input.data} {params.flags}"
        " {params.job} 2> {log} || {params.failed} {output} {log}"
