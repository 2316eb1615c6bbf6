# How far noise moves the features of untrained and dense networks (Figure 4).
rule features:
    input:
        data=manifest_of,
        models=models_below,
    output:
        update(f"{CELLS}/{{cell}}.json"),
    log:
        f"{RESULTS}/logs/{{cell}}.log",
    wildcard_constraints:
        cell=rf"{NETWORK}/untrained/feature_distance|{measured(identity.FeatureDistance, identity.Dense)}",
    group:
        batch(cell_of)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(cell_of),
    params:
        **JOB,
    shell:
        measures("features")
