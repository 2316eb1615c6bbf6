"""Jobs get the GPU that they need and no more, and one failure stays alone."""

from __future__ import annotations

import copy
from pathlib import Path

from tests.e2e.conftest import CELLS, FIGURES, TINY, Project
from tests.slurm.demo import overlaps, provenances, records
from tests.slurm.submitter import RECIPE, TICKET


def block(project: Project, cell: str) -> Path:
    """Make a cell fail always: what its command needs as a folder is a file."""
    place = cell.replace("results/cells", "results/checkpoints").removesuffix(".json")
    folder = project.folder / place
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("not a folder")
    return folder


def test_a_cell_that_always_fails_takes_nothing_else_down(submitter):
    config = copy.deepcopy(TINY)
    for name in ("existence", "inits", "patterns", "methods"):  # the panels of Figure 1
        config["experiments"][name]["keep_ratios"] = [0.2]
    submitter.project.config(config)
    search, attack = f"{CELLS}/rst-keep0.5-element-pgd7-eps8", "dense-adversarial-pgd7-eps8"
    blocks = [
        block(submitter.project, search),
        block(submitter.project, f"{CELLS}/{attack}/best_val/pgd20-eps8.json"),
    ]
    run = submitter.start(*FIGURES, "--retries", "1")
    assert run.finish() != 0
    made = submitter.project.files("results/**/*.*")
    assert f"{CELLS}/rst-keep0.2-element-pgd7-eps8/best_val/pgd20-eps8.json" in made
    assert f"{CELLS}/{attack}/best_val/weights.pt" in made
    assert f"failed: {search}/best_val/ticket.pt" in run.text
    assert "Not a directory" in run.text or "File exists" in run.text
    assert "retry: snakemake" in run.text
    # Figure 7 needs the ticket and cannot be; Figure 1 lacks one number and says so.
    assert "results/figures/fig7.png" not in made
    assert "results/figures/fig1.png" in made
    assert "made without failed cells, and marked so:\n  results/figures/fig1.csv" in run.text

    for path in blocks:
        path.unlink()
    again = submitter.start(*FIGURES)
    assert again.finish() == 0, again.text
    assert "results/figures/fig7.png" in submitter.project.files("results/figures/*")
    made = records(submitter.project.folder)
    assert len(made) == 4
    assert all("results" in record for record in made.values())


def test_evaluations_in_the_job_of_their_model_take_turns_on_its_one_gpu(submitter):
    config = copy.deepcopy(TINY)
    config["experiments"]["sizes"] = config["experiments"]["existence"] | {
        "models": ["rst"],
        "evaluate": [{"attack": "pgd20", "eps": [4, 8]}],
    }
    submitter.project.config(config)
    cells = [f"{CELLS}/{RECIPE}/best_val/pgd20-eps{eps}.json" for eps in (4, 8)]
    run = submitter.start(*cells, "--retries", "0")
    assert run.finish() == 0, run.text
    made = provenances(submitter.project.folder)
    assert set(made) == {TICKET, *cells}
    assert len({provenance["job"] for provenance in made.values()}) == 1
    assert overlaps(submitter.project.folder) == []
