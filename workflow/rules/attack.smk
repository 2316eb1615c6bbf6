# One attack over the whole test set: on one model, or on all tickets of a candidate set at once.
rule attack:
    input:
        data=manifest_of,
        models=models_below,
    output:
        update(f"{CELLS}/{{cell}}.json"),
    log:
        f"{RESULTS}/logs/{{cell}}.log",
    wildcard_constraints:
        cell=measured(
            identity.Evaluation,
            identity.Dense,
            identity.Ticket,
            identity.FineTuned,
            identity.CandidateSet,
        ),
    group:
        batch(cell_of)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(cell_of),
    params:
        **JOB,
    shell:
        measures("attack")
