"""Questions to SLURM and to the disk before the first job: fake commands."""

import shutil
from collections import namedtuple

import pytest

from tests.conftest import ROOT
from workflow.machine import read_machine
from workflow.preflight import LEAST_FREE, disk_problem, minutes_of, notes, problems

MACHINE = read_machine(ROOT / "slurm" / "machine.yaml")
GOOD = {
    "sbatch": "exit 0",
    "sinfo": "echo 'gpu|gpu:a100:4|2-00:00:00'; echo 'fast|gpu:rtx-a6000:8(S:0-1)|4:00:00'; "
    "echo 'cpu|(null)|infinite'",
    "sacctmgr": "echo 'rst|normal,long'; echo 'other|normal'",
}


def found(**changes: str) -> list[str]:
    return list(problems(MACHINE.model_copy(update=changes), "slurm/machine.yaml"))


def test_a_cluster_that_fits_has_no_problem(commands):
    commands(**GOOD)
    assert found() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"partition": "gpus"}, "partition is 'gpus' in slurm/machine.yaml, but this cluster has"),
        ({"partition": "gpu,gpus"}, "this cluster has no partition 'gpus'"),
        ({"partition": "cpu"}, "but the nodes of 'cpu' have no GPUs that SLURM knows of"),
        ({"account": "wrong"}, "account is 'wrong' in slurm/machine.yaml, which user"),
        ({"qos": "urgent"}, "qos is 'urgent' in slurm/machine.yaml, which user"),
        ({"account": "other", "qos": "long"}, "qos is 'long' in slurm/machine.yaml, which user"),
        ({"gpu_type": "h100"}, "gpu_type is 'h100' in slurm/machine.yaml, but partition gpu has"),
    ],
)
def test_a_wrong_name_is_one_sentence_that_says_what_is_allowed(commands, change, message):
    commands(**GOOD)
    (sentence,) = found(**change)
    assert message in sentence
    assert "allowed is one of" in sentence


def test_a_missing_sbatch_and_a_cluster_without_gpus_are_one_sentence(commands):
    commands(**{k: v for k, v in GOOD.items() if k != "sbatch"})
    (sentence,) = found()
    assert sentence.startswith("sbatch is not on the PATH")
    commands(**GOOD | {"sinfo": "echo 'gpu|(null)'"})
    (sentence,) = found()
    assert "no partition has any" in sentence


def test_a_disk_without_room_is_one_sentence_also_for_a_folder_to_be(monkeypatch, tmp_path):
    usage = namedtuple("usage", "free")
    for free, said in ((LEAST_FREE - 1, True), (LEAST_FREE, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda place, free=free: usage(free))
        for folder in (tmp_path, tmp_path / "not" / "yet"):
            sentence = disk_problem(folder)
            assert sentence.startswith(f"the disk of {folder} is full: 100 MB") == said
            assert bool(sentence) == said


def test_a_slurm_that_does_not_answer_is_no_problem_jobs_wait_for_it(commands):
    commands(sbatch="exit 0", sinfo="exit 1", sacctmgr="exit 1")
    assert found() == []


@pytest.mark.parametrize(
    "change",
    [
        {"partition": "gpu, fast", "gpu_type": "rtx-a6000", "job_minutes": 240},
        {"account": "rst", "qos": "long"},
        {"partition": "", "account": ""},
    ],
)
def test_lists_of_partitions_types_with_dashes_and_qos_are_fine(commands, change):
    commands(**GOOD)
    assert found(**change) == []


def test_a_limit_above_the_partitions_is_one_sentence_that_says_which_to_set(commands):
    commands(**GOOD)
    (sentence,) = found(partition="fast")
    assert sentence.startswith("job_minutes is 2880 minutes")
    assert sentence.endswith("so set it to 240 or less")
    # Where none is named, SLURM's default counts, if it has GPUs.
    for default, said in (("fast", [sentence]), ("cpu", [])):
        commands(sinfo=GOOD["sinfo"].replace(f"{default}|", f"{default}*|"))
        assert found(partition="") == said


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("2-00:00:00", 2880), ("4:00:00", 240), ("30:00", 30), ("infinite", None), ("", None)],
)
def test_time_limits_of_sinfo_are_read(limit, minutes):
    assert minutes_of(limit) == minutes


def test_what_sbatch_says_of_a_job_that_it_tries_is_a_sentence_and_a_full_queue_is_not(commands):
    says = "allocation failure: Invalid feature specification"
    folder = commands(
        **GOOD | {"sbatch": f'echo "$@" > "${{0%/*}}/words"; echo "{says}" >&2; exit 1'}
    )
    (sentence,) = found(constraint="a100", qos="long", options=["--mail-type=FAIL"])
    assert says in sentence
    words = (folder / "words").read_text().split()
    assert {"--test-only", "--constraint=a100", "--qos=long", "--mail-type=FAIL"} <= set(words)
    commands(sbatch='echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1')
    assert found() == []


def test_a_cluster_without_accounting_is_said_not_refused(commands):
    commands(**GOOD | {"sacct": 'echo "Slurm accounting storage is disabled" >&2; exit 1',
                       "sacctmgr": "exit 1"})  # fmt: skip
    assert found() == []
    (note,) = notes()
    assert "accounting does not work here (sacct: Slurm accounting storage is disabled)" in note
