# Every measured number of every experiment in one file, written whenever it is asked for.
localrules:
    cells_csv,


rule cells_csv:
    input:
        always(f"{RESULTS}/cells.csv"),
        cells=files_of(MATRIX.all_cells),
    output:
        f"{RESULTS}/cells.csv",
    log:
        f"{RESULTS}/logs/cells_csv.log",
    conda:
        "../envs/rst.yaml"
    script:
        "../scripts/cells_csv.py"
