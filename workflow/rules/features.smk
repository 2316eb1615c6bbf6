# How far noise moves the features of untrained and dense networks (Figure 4).
rule features:
    input:
        models=lambda wildcards: (
            []
            if isinstance(features_of(wildcards).model, spec.Untrained)
            else files(MATRIX.sources(features_of(wildcards)))
        ),
        data=lambda wildcards: ancient(manifest(features_of(wildcards).model.network)),
    output:
        f"{CELLS}/{{network}}/{{folder}}/feature_distance.json",
    log:
        "results/logs/{network}/{folder}/feature_distance.log",
    wildcard_constraints:
        folder=f"untrained|(?:{spec.anonymous(spec.Dense.REGEX)})/(?:{'|'.join(Selection)})",
    conda:
        "../envs/rst.yaml"
    resources:
        gpu=1,
    params:
        job=job_flags,
        data=lambda wildcards: dataset_digest(features_of(wildcards).model.network),
        flags=lambda wildcards: features_flags(features_of(wildcards)),
    shell:
        "python -m rst_core features {output} --data {input.data} {params.flags}"
        " {params.job} 2> {log}"
