# Models: dense networks, tickets, fine-tuned tickets, and checkpoints that were made elsewhere.
import re


localrules:
    foreign,


# Where a model is foreign, nothing is searched or trained.
ruleorder: foreign > search > train


# Dense networks: natural and adversarial training.
rule train:
    input:
        data=manifest_of,
        models=models_below,
    output:
        **kept("weights"),
    log:
        f"{RESULTS}/logs/{{model}}/train.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/train.tsv"
    wildcard_constraints:
        model=trained(identity.Dense),
    group:
        batch
    conda:
        "../envs/rst.yaml"
    resources:
        **REQUEST,
    params:
        **JOB,
        command="train",
    shell:
        makes("{output.selected}")


# Tickets: mask search on random weights (RST) or on a dense's (RTT).
use rule train as search with:
    output:
        **kept("ticket"),
    log:
        f"{RESULTS}/logs/{{model}}/search.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/search.tsv"
    wildcard_constraints:
        model=trained(identity.Ticket),
    params:
        **JOB,
        command="search",


# Fine-tuning a ticket's weights under its fixed mask, inherited or re-initialised.
use rule train as finetune with:
    log:
        f"{RESULTS}/logs/{{model}}/finetune.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/finetune.tsv"
    wildcard_constraints:
        model=trained(identity.FineTuned),
    params:
        **JOB,
        command="finetune",


rule foreign:
    input:
        data=manifest_of,
        models=models_below,
        file=checkpoint_of,
    output:
        **kept("{kind}"),
    log:
        f"{RESULTS}/logs/{{model}}/import_{{kind}}.log",
    wildcard_constraints:
        # Without any, a pattern that matches nothing.
        model="|".join(map(re.escape, MATRIX.foreign)) or "(?!)",
        kind="ticket|weights",
    conda:
        "../envs/rst.yaml"
    resources:
        **REQUEST,
    params:
        **JOB,
        command="import",
    shell:
        makes("{output.selected}", "--file {input.file:q}")
