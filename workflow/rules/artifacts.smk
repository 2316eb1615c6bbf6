rule all_tables:

rule all_figures:

# Every measured cell of every experiment.
rule all_cells:
    input:
        files(MATRIX.all_cells()),
