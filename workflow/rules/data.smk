# Load each dataset once, fetch it if need be, and write down what was found. Images that are
# there were read when the plan was made (workflow/images.py); this is for those that are not.


localrules:
    data,


rule data:
    input:
        checked_dataset,
    output:
        update(f"{RESULTS}/data/{{dataset}}.json"),
    log:
        f"{RESULTS}/logs/data/{{dataset}}.log",
    conda:
        "../envs/rst.yaml"
    params:
        settings=lambda wildcards: MATRIX.images_document(wildcards.dataset),
    shell:
        "python -m rst_core data {output} --download --settings {params.settings:q} > {log} 2>&1"
