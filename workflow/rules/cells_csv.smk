# Every number that is measured so far in one file, written whenever it is asked for.
localrules:
    cells_csv,


rule cells_csv:
    input:
        always(f"{RESULTS}/cells.csv"),
    output:
        f"{RESULTS}/cells.csv",
    log:
        f"{RESULTS}/logs/cells_csv.log",
    conda:
        "../envs/rst.yaml"
    script:
        "../scripts/show.py"
