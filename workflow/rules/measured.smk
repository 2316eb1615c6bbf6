# What is measured on models, a cell a job: attacks, transfer rows, feature distances.


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
        batch
    conda:
        "../envs/rst.yaml"
    resources:
        **REQUEST,
    params:
        **JOB,
        command="attack",
        more="",
    shell:
        makes("{output}", "{params.more}") + " || {params.failed} {output} {log}"


# One row of a transfer matrix: adversarial images of one source, evaluated on many targets.
use rule attack as transfer with:
    wildcard_constraints:
        cell=measured(
            identity.TransferRow,
            identity.Dense,
            identity.Ticket,
            identity.CandidateSet,
        ),
    params:
        **JOB,
        command="transfer",
        more=target_flags,


# How far noise moves the features of untrained and dense networks (Figure 4).
use rule attack as features with:
    wildcard_constraints:
        cell=rf"{NETWORK}/untrained/feature_distance|{measured(identity.FeatureDistance, identity.Dense)}",
    params:
        **JOB,
        command="features",
        more="",
