# Tickets: mask search on random weights (RST) or on a dense's (RTT).
rule search:
    input:
        data=lambda wildcards: ancient(manifest(ticket_of(wildcards).network)),
        bases=lambda wildcards: files(MATRIX.bases(ticket_of(wildcards))),
    output:
        selected=f"{CELLS}/{{network}}/{{ticket}}/{SELECTION}/ticket.pt",
        others=[
            f"{CELLS}/{{network}}/{{ticket}}/{s}/ticket.pt" for s in OTHER_SELECTIONS
        ],
    log:
        "results/logs/{network}/{ticket}/search.log",
    benchmark:
        "results/benchmarks/{network}/{ticket}/search.tsv"
    group:
        batch(training_of(ticket_of))
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(training_of(ticket_of)),
    params:
        job=job_flags,
        on=on_own_gpus,
        data=lambda wildcards: dataset_digest(ticket_of(wildcards).network),
        flags=lambda wildcards: training_flags(ticket_of(wildcards)),
    shell:
        "{params.on} python -m rst_core search {output.selected} --data {input.data} {params.flags}"
        " {params.job} 2> {log}"
