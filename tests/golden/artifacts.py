"""Every table's and figure's numbers, built from made-up complete cells.

``python -m tests.golden.artifacts`` records them after a wanted change;
``python -m tests.golden.artifacts FOLDER`` writes the CSVs, to find what changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from tests.artifacts.made_up import made_up
from tests.test_config import PAPER
from workflow.artifacts.registry import FIGURES, TABLES
from workflow.config import read_config
from workflow.matrix import Matrix

EXPECTED = Path(__file__).with_name("artifacts.json")


def artifact_csvs() -> dict[str, str]:
    """CSV text of every artifact of the paper's matrix, with six significant digits."""
    paper = Matrix(read_config(PAPER))
    cells = made_up(paper, paper.config.experiments)
    found = {}
    for name, artifact in sorted({**TABLES, **FIGURES}.items()):
        data = artifact.build(cells, paper)
        assert len(data)
        found[name] = data.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return found


def fingerprint(csv: str) -> str:
    """Rows and digest of a CSV."""
    return f"{csv.count(chr(10)) - 1} rows, {hashlib.sha256(csv.encode()).hexdigest()[:16]}"


if __name__ == "__main__":
    csvs = artifact_csvs()
    for folder in map(Path, sys.argv[1:]):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in csvs.items():
            (folder / f"{name}.csv").write_text(text)
    if not sys.argv[1:]:
        prints = {name: fingerprint(text) for name, text in csvs.items()}
        EXPECTED.write_text(json.dumps(prints, indent=1) + "\n")
