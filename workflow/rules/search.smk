# Tickets: mask search on random weights (RST) or on a dense's (RTT).
def ticket_of(wildcards):
    return spec.parse_model(f"{wildcards.network}/{wildcards.ticket}")


rule search:
    input:
        data=lambda wildcards: ancient(manifest(ticket_of(wildcards).network)),
        bases=lambda wildcards: files(MATRIX.bases(ticket_of(wildcards))),
    output:
        [f"{CELLS}/{{network}}/{{ticket}}/{s}/ticket.pt" for s in SELECTIONS],
    log:
        "results/logs/{network}/{ticket}/search.log",
    benchmark:
        "results/benchmarks/{network}/{ticket}/search.tsv"
    params:
        data=lambda wildcards: dataset_digest(ticket_of(wildcards).network),
        flags=lambda wildcards: training_flags(ticket_of(wildcards)),
    resources:
        gpu=1,
    shell:
        "{PYTHON} -m rst_core search {output[0]} --data {input.data} {params.flags}"
        " --threads {threads} 2> {log}"
