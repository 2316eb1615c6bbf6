# What artifacts and the pages of the report depend on beside cells, and how pages are listed.
import hashlib
import json
from pathlib import Path

from workflow.artifacts import registry
from workflow.artifacts.page import CLAIMS, PROGRESS, PROTOCOL, label, sortable


def artifact_code():
    """Digest of the code and the published numbers that artifacts are made with."""
    folder = Path(workflow.basedir) / "workflow"
    patterns = ("artifacts/*.py", "paper/*.csv", "paper/*.yaml")
    sources = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return hashlib.sha256(
        b"".join(source.read_bytes() for source in sources)
    ).hexdigest()[:12]


def shown_config():
    """The part of the config that artifacts show: labels, notes, roles and axes."""
    keys = {
        "selection",
        "seeds",
        "roles",
        "experiments",
        "datasets",
        "networks",
        "attacks",
    }
    shown = json.dumps(
        MATRIX.config.model_dump(mode="json", include=keys), sort_keys=True
    )
    return hashlib.sha256(shown.encode()).hexdigest()[:12]


ARTIFACTS = registry.TABLES | registry.FIGURES
LABELLED = {label(artifact): artifact for artifact in ARTIFACTS.values()}


def page_category(wildcards):
    """Where the report shows a page; it sorts categories by name."""
    name = getattr(wildcards, "label", PROTOCOL)
    if name in LABELLED:
        is_table = LABELLED[name].name in registry.TABLES
        return "2 Tables" if is_table else "3 Figures"
    return {PROGRESS: "0 Progress", CLAIMS: "1 Claims", PROTOCOL: "4 Protocol"}[name]


def page_labels(wildcards):
    """What the report shows of a page in its list."""
    name = getattr(wildcards, "label", PROTOCOL)
    if name not in LABELLED:
        return {"title": name}
    artifact = LABELLED[name]
    shown = {cell.model.network.dataset for cell in artifact.cells(MATRIX)}
    foreign = any(MATRIX.config.datasets[d].stand_in_for for d in shown)
    return {"title": sortable(artifact.title) + (" †" if foreign else "")}


def datasets_of_cells():
    """Datasets that any measured cell reads."""
    return sorted({cell.model.network.dataset for cell in MATRIX.all_cells()})
