# How far noise moves the features of untrained and dense networks (Figure 4).
def features_of(wildcards):
    folder = f"{wildcards.network}/{wildcards.folder}"
    return cell_named(f"{folder}/feature_distance.json")


@asked
def features_flags(cell):
    grids = (e.feature_distance for e in MATRIX.config.experiments.values())
    grid = sorted({eps for grid in grids for eps in grid})
    if not grid:
        raise ConfigError("no experiment has a feature_distance; it lists noise magnitudes")
    flags = to_flags(MATRIX.network_settings(cell.model.network))
    return words([*flags, "--eps-grid", *map(spec.format_number, grid)])


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
    params:
        data=lambda wildcards: dataset_digest(features_of(wildcards).model.network),
        flags=lambda wildcards: features_flags(features_of(wildcards)),
    resources:
        gpu=1,
    shell:
        "{PYTHON} -m rst_core features {output} --data {input.data} {params.flags}"
        " --threads {threads} 2> {log}"
