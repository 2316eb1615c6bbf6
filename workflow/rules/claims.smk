# The verdict on every statement of workflow/paper/claims.yaml. Only reads cell files, here.
localrules:
    claims,


rule claims:
    input:
        lambda wildcards: files(claim_cells(MATRIX)),
    output:
        csv="results/claims.csv",
        places="results/claims_places.csv",
        md="results/claims.md",
        html="results/claims.html",
        png="results/claims.png",
    log:
        "results/logs/claims.log",
    conda:
        "../envs/rst.yaml"
    params:
        code=artifact_code(),
        config=shown_config(),
    script:
        "../scripts/claims.py"
