"""All of the demo's cells through SLURM, small: the numbers of a local run, a GPU each.

The last of the tests, so that the local run has been going on beside the others.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from tests.e2e.conftest import copy_project
from tests.golden.cells import apart, numbers
from tests.slurm.conftest import SMALL, TARGETS
from tests.slurm.demo import DEMO, differences, overlaps, provenances, records
from tests.slurm.small_demo import write_small_demo
from tests.slurm.submitter import Submitter

#: Seconds that the whole demo may take on two cores that others use, too.
PATIENCE = 1500
pytestmark = pytest.mark.timeout(2 * PATIENCE)


@pytest.fixture(scope="module")
def submitted_demo(tmp_path_factory, cluster, local_demo) -> Path:
    """The folder of the small demo, made through SLURM."""
    submitter = Submitter(copy_project(tmp_path_factory.mktemp("submitted")), cluster)
    submitter.machine()
    write_small_demo(submitter.project.folder / SMALL)
    run = submitter.start(*TARGETS, config=[DEMO, SMALL])
    try:
        assert run.finish(PATIENCE) == 0, run.text[-6000:]
    finally:
        submitter.end()
    return submitter.project.folder


def test_all_results_are_those_of_a_local_run_and_of_the_record(local_demo, submitted_demo):
    assert local_demo.process.wait(PATIENCE) == 0, local_demo.log.read_text()[-6000:]
    assert records(local_demo.folder).keys() == records(submitted_demo).keys()
    assert differences(local_demo.folder, submitted_demo) == []
    made = {path.stem for path in submitted_demo.glob("results/demo/[tf]*/*.csv")}
    assert made == {"table3", "fig7"}
    assert apart(numbers(local_demo.folder)) == []


def test_no_two_jobs_were_ever_on_one_gpu_at_once(submitted_demo):
    found = provenances(submitted_demo).values()
    assert {p["cuda_visible_devices"] for p in found} == {"0", "1"}
    assert all(p["job"] for p in found)
    assert overlaps(submitted_demo) == []


def test_short_evaluations_are_no_jobs_of_their_own(submitted_demo):
    made = provenances(submitted_demo)
    jobs = {name: p["job"] for name, p in made.items()}
    shared = defaultdict(set)
    for name, job in jobs.items():
        shared[job].add(name)
    # An attack ran in the job that made its model, a row beside other rows.
    models = {Path(name).parent: job for name, job in jobs.items() if name.endswith(".pt")}
    short = [name for name in jobs if Path(name).name.startswith(("pgd20-", "pgd20_l2-"))]
    assert short
    assert all(jobs[name] == models[Path(name).parent] for name in short)
    assert all(
        len(shared[job]) > 1 for name, job in jobs.items() if "transfer_to_tickets-pgd20" in name
    )
