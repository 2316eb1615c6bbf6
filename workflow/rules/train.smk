# Dense networks: natural and adversarial training.
rule train:
    input:
        data=manifest_of,
        models=models_below,
    output:
        selected=update(f"{CELLS}/{{model}}/{SELECTION}/weights.pt"),
        others=[
            update(f"{CELLS}/{{model}}/{selection}/weights.pt")
            for selection in OTHER_SELECTIONS
        ],
    log:
        f"{RESULTS}/logs/{{model}}/train.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/train.tsv"
    wildcard_constraints:
        model=trained(identity.Dense),
    group:
        batch(cell_of)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(cell_of),
    params:
        **JOB,
    shell:
        makes("train", "{output.selected}")
