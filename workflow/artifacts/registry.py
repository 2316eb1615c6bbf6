"""All artifacts, by name; the rules read this."""

from workflow.artifacts.artifact import Figure
from workflow.artifacts.figures.entries import FIGURES
from workflow.artifacts.tables.entries import TABLES
from workflow.artifacts.tables.table import Table

__all__ = ["ARTIFACTS", "FIGURES", "TABLES"]

ARTIFACTS: dict[str, Table | Figure] = {**TABLES, **FIGURES}
