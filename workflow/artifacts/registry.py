"""All artifacts, by name; the rules read this."""

from workflow.artifacts.artifact import Artifact
from workflow.artifacts.figures.entries import FIGURES
from workflow.artifacts.tables.entries import TABLES

__all__ = ["FIGURES", "TABLES", "Artifact"]
