# The verdict on every statement of workflow/paper/claims.yaml, and its page in the report. Only
# reads cell files, here.


localrules:
    claims,


rule claims:
    input:
        shows(cells_of_claims, lambda wildcards: f"{RESULTS}/pages/{CLAIMS}.html"),
    output:
        csv=f"{RESULTS}/claims.csv",
        places=f"{RESULTS}/claims_places.csv",
        html=f"{RESULTS}/claims.html",
        page=report(
            f"{RESULTS}/pages/{CLAIMS}.html",
            caption="../report/claims.rst",
            category="1 Claims",
            labels={"title": CLAIMS},
        ),
    log:
        f"{RESULTS}/logs/claims.log",
    conda:
        "../envs/rst.yaml"
    script:
        "../scripts/show.py"
