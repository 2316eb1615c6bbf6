# Fine-tuning a ticket's weights under its fixed mask, inherited or re-initialised.
rule finetune:
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
        f"{RESULTS}/logs/{{model}}/finetune.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/finetune.tsv"
    wildcard_constraints:
        model=trained(identity.FineTuned),
    group:
        batch(cell_of)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(cell_of),
    params:
        **JOB,
    shell:
        makes("finetune", "{output.selected}")
