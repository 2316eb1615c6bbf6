# Checkpoints that were made elsewhere, as model files. Where a model is foreign, nothing is
# searched or trained.
import re


localrules:
    foreign,


ruleorder: foreign > search > train


rule foreign:
    input:
        data=manifest_of,
        models=models_below,
        file=checkpoint_of,
    output:
        selected=update(f"{CELLS}/{{model}}/{SELECTION}/{{kind}}.pt"),
        others=[
            update(f"{CELLS}/{{model}}/{selection}/{{kind}}.pt")
            for selection in OTHER_SELECTIONS
        ],
    log:
        f"{RESULTS}/logs/{{model}}/import_{{kind}}.log",
    wildcard_constraints:
        # Without any, a pattern that matches nothing.
        model="|".join(map(re.escape, MATRIX.foreign)) or "(?!)",
        kind="ticket|weights",
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(cell_of),
    params:
        **JOB,
    shell:
        makes("import", "{output.selected}", "--file {input.file:q}")
