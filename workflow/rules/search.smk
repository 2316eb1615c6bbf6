# Tickets: mask search on random weights (RST) or on a dense's (RTT).
rule search:
    input:
        data=manifest_of,
        models=models_below,
    output:
        selected=update(f"{CELLS}/{{model}}/{SELECTION}/ticket.pt"),
        others=[
            update(f"{CELLS}/{{model}}/{selection}/ticket.pt")
            for selection in OTHER_SELECTIONS
        ],
    log:
        f"{RESULTS}/logs/{{model}}/search.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{model}}/search.tsv"
    wildcard_constraints:
        model=trained(identity.Ticket),
    group:
        batch(cell_of)
    conda:
        "../envs/rst.yaml"
    resources:
        **needs(cell_of),
    params:
        **JOB,
    shell:
        makes("search", "{output.selected}")
