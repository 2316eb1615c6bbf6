# One row of a transfer matrix: adversarial images of one source, judged by many targets.
rule transfer:
    input:
        data=manifest_of,
        models=models_below,
    output:
        update(f"{CELLS}/{{cell}}.json"),
    log:
        f"{RESULTS}/logs/{{cell}}.log",
    wildcard_constraints:
        cell=measured(
            identity.TransferRow,
            identity.Dense,
            identity.Ticket,
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
        targets=judges,
    shell:
        measures("transfer", "--targets {params.targets}")
