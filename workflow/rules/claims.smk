# The verdict on every statement of workflow/paper/claims.yaml, and its page in the report. Only
# reads cell files, here.
from workflow.artifacts.claims_data import claim_cells


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
        page=report(
            f"results/pages/{CLAIMS}.html",
            caption="../report/claims.rst",
            category="1 Claims",
            labels={"title": CLAIMS},
        ),
    log:
        "results/logs/claims.log",
    conda:
        "../envs/rst.yaml"
    params:
        code=artifact_code(),
        config=shown_config(),
    script:
        "../scripts/claims.py"
