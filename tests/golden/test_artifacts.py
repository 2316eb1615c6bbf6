"""Every artifact's numbers are those that were recorded."""

import json

from tests.golden.artifacts import EXPECTED, artifact_csvs, fingerprint


def test_every_artifact_has_the_recorded_numbers():
    found = {name: fingerprint(csv) for name, csv in artifact_csvs().items()}
    assert found == json.loads(EXPECTED.read_text())
