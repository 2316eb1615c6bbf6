"""What would make all jobs fail is one sentence: before the first job, or in place of a pile."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.slurm.configuration import CLIENTS
from tests.slurm.conftest import EPOCHS, assert_same_ticket, one_search
from tests.slurm.submitter import TICKET

SUBMITTED = "submitted as SLURM job"


def test_wrong_partitions_and_a_wrong_account(submitter):
    submitter.machine(partition="gpus,plain", account="nobody")
    run = submitter.start(TICKET)
    assert run.finish() != 0
    start = "partition is 'gpus,plain' in slurm/machine.yaml, but"
    assert f"{start} this cluster has no partition 'gpus'; allowed is one of" in run.text
    assert f"{start} the nodes of 'plain' have no GPUs that SLURM knows of; allowed" in run.text
    assert "account is 'nobody' in slurm/machine.yaml, which user root may not use" in run.text
    assert run.text.count("allowed is one of") == 3
    assert "Traceback" not in run.text
    assert SUBMITTED not in run.text
    assert submitter.project.files("results/cells/*") == set()


def test_no_sbatch(submitter, tmp_path):
    others = tmp_path / "bin"
    others.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name not in CLIENTS:
            (others / program.name).symlink_to(program)
    run = submitter.start(TICKET, path=str(others))
    assert run.finish() != 0
    assert "sbatch is not on the PATH" in run.text
    assert "--profile workstation" in run.text
    assert "Traceback" not in run.text


def test_a_node_whose_gpu_does_not_work(submitter):
    """The GPUs of this cluster are pretended, which is what a broken driver looks like."""
    submitter.machine(device="cuda")
    run = submitter.start(TICKET, "--retries", "0")
    assert run.finish() != 0
    assert run.text.count(SUBMITTED) == 1
    assert "a GPU was asked for, but torch" in run.text.rpartition("ends with:")[2]
    assert "Traceback" not in run.text


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A folder that is a disk of its own."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while out.write(bytes(1 << 20)):
            pass
    assert shutil.disk_usage(file.parent).free == 0


def test_a_disk_that_fills_up(submitter, undisturbed):
    submitter.project.config(one_search())
    with small_disk(submitter.project.folder / "results", 150) as results:
        run = submitter.start(TICKET, "--retries", "0")
        run.wait(lambda: submitter.epochs() >= 2, "second epoch")
        fill(results / "filler")
        assert submitter.epochs() < EPOCHS, "the search ended before the disk was full"
        assert run.finish() != 0
        assert "the disk of results is full: 0 MB are left" in run.text

        again = submitter.start(TICKET)
        assert again.finish() != 0
        assert "the disk of results is full: 0 MB are left" in again.text
        assert SUBMITTED not in again.text
        assert "Traceback" not in again.text

        (results / "filler").unlink()
        last = submitter.start(TICKET)
        assert last.finish() == 0, last.text
        assert "continuing" in submitter.read_log()
        assert_same_ticket(submitter.project.folder, undisturbed)
