# Load each dataset once, fetch it if need be, and write down what was found. Images that are
# there were read when the plan was made (workflow/images.py); this is for those that are not.
from rst_core.job.flags import to_flags


localrules:
    data,


rule data:
    input:
        dataset_looked_at,
    output:
        update(f"{RESULTS}/data/{{dataset}}.json"),
    log:
        f"{RESULTS}/logs/data/{{dataset}}.log",
    conda:
        "../envs/rst.yaml"
    params:
        flags=lambda wildcards: shlex.join(
            to_flags(MATRIX.dataset(wildcards.dataset).images)
        ),
    shell:
        "python -m rst_core data {output} --download {params.flags} > {log} 2>&1"
