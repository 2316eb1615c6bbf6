"""What errors of SLURM's commands mean."""

import pytest

from workflow.cluster.commands import Answer, ask

POLICY = (
    "Batch job submission failed: Job violates accounting/QOS policy "
    "(job submit limit, user's size and/or time limits)"
)


@pytest.mark.parametrize(
    ("error", "away", "full"),
    [
        ("Batch job submission failed: Unable to contact slurm controller", True, False),
        (f"QOSMaxSubmitJobPerUserLimit\nsbatch: error: {POLICY}", False, True),
        ("AssocGrpSubmitJobsLimit", False, True),
        # A limit on one job is met again, however long one waits.
        (f"QOSMaxWallDurationPerJobLimit\nsbatch: error: {POLICY}", False, False),
        ("invalid partition specified: x", False, False),
    ],
)
def test_an_error_says_whether_to_wait(error, away, full):
    answer = Answer(1, [], f"sbatch: error: {error}")
    assert (answer.unreachable, answer.job_limit) == (away, full)
    assert not Answer(0, [], error).unreachable
    assert not Answer(0, [], error).job_limit


def test_a_command_that_is_not_there_or_does_not_answer_is_an_answer(commands, monkeypatch):
    commands(squeue="while :; do :; done")
    assert ask("sacct").status == 127
    monkeypatch.setattr("workflow.cluster.commands.TIMEOUT", 0.1)
    assert ask("squeue").unreachable
