"""Verdicts on the paper's statements from whatever cells exist; docs/claims.md says how to read it.

``definitions`` reads workflow/paper/claims.yaml, ``numbers`` finds what was measured, ``tree``
turns a claim into comparisons, ``statistics`` tests them, ``paper`` has the verdicts of the paper's
own numbers, ``verdicts`` puts it together, ``page`` shows it.
"""

from workflow.artifacts.claims.verdicts import claim_cells, make_claims

__all__ = ["claim_cells", "make_claims"]
