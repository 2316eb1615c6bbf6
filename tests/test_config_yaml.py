"""YAML files of the config: read as YAML reads them, but for a key that stands there twice."""

import pytest
import yaml

from tests.test_config import DELTAS
from workflow.config import ConfigError, read_yaml


def test_a_key_that_stands_twice_is_refused_with_its_lines(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("seeds: [0]\nroles:\n  datasets: {svhn: a, svhn: b}\nseeds: [1]\n")
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    assert str(caught.value).splitlines() == [
        f"{path}: roles.datasets.svhn is in lines 3 and 3; a key may occur once",
        f"{path}: seeds is in lines 1 and 4; a key may occur once",
    ]


@pytest.mark.parametrize("path", DELTAS, ids=lambda p: p.stem)
def test_the_shipped_files_are_read_as_yaml_reads_them(path):
    assert read_yaml(path) == yaml.safe_load(path.read_text())


@pytest.mark.parametrize("text", ["[1]", "", "a: [", "a: \t- b", "\xff\xfe"])
def test_a_file_that_holds_no_keys_is_refused_by_name(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(
        ConfigError, match=r"^.*mine\.yaml (holds no keys|is no YAML|cannot be read)"
    ):
        read_yaml(path)
