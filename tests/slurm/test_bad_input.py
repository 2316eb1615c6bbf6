"""What SLURM would refuse is one sentence before the first job."""

import pytest

from tests.slurm.conftest import TICKET


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"partition": "gpus"}, "partition is 'gpus' in slurm/machine.yaml, but this cluster"),
        ({"account": "nobody"}, "account is 'nobody' in slurm/machine.yaml, which user root"),
    ],
)
def test_a_wrong_partition_or_account(submitter, change, message):
    submitter.machine(**change)
    run = submitter.start(TICKET)
    assert run.finish() != 0
    assert message in run.text
    assert "allowed is one of" in run.text
    assert "Traceback" not in run.text
    assert "submitted with SLURM jobid" not in run.text
    assert submitter.project.files("results/data/*") == set()
