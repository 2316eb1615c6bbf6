"""The paper's numbers as they are read, and what is said of data that stand in for the paper's."""

import pytest
import yaml

from rst_core.data.manifest import write_manifest
from rst_core.storage import FileError
from rst_core.vocabulary import Selection
from tests.conftest import ROOT
from tests.data.test_manifest import manifest
from workflow.artifacts.numbers.summary import (
    data_label,
    paper_values,
    remarks,
    short_label,
    stands_in,
    title,
)
from workflow.artifacts.numbers.summary import printed as read_printed
from workflow.config import read_config
from workflow.matrix import Matrix
from workflow.showing import marked


def test_an_artifact_without_published_numbers_has_none():
    assert paper_values("nothing") == {}


@pytest.mark.parametrize(
    "line", ["a,b,1.5", "a,c,nan", "a,c,-101", "a,c,many", "a", ",c,1"], ids=lambda line: line
)
def test_a_number_of_the_papers_that_cannot_be_is_named_by_file_and_line(tmp_path, line):
    path = tmp_path / "table0.csv"
    path.write_text(f"row,column,value\na,b,1\n{line}\n")
    with pytest.raises(FileError, match=r"table0.csv is damaged: line 3.*; mend the line, or"):
        read_printed(path)


def test_part_of_a_dataset_is_shown_as_a_stand_in_is(tmp_path):
    write_manifest(tmp_path / "cifar10.json", manifest())
    config = read_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
    plain, shown = Matrix(config), Matrix(marked(config, tmp_path))
    assert marked(config, tmp_path / "nowhere") == config
    assert not stands_in(plain, "cifar10")
    assert stands_in(shown, "cifar10")
    assert data_label(shown, "cifar10") == (
        "CIFAR-10 [stand-in for CIFAR-10; 6,187 of 60,000 images]"
    )
    assert "†" in short_label(shown, "cifar10")
    assert "stand-in" in title(shown, "Table 3", ["cifar10"])
    assert data_label(shown, "cifar100") == data_label(plain, "cifar100")


def test_the_papers_protocol_is_labelled_wherever_it_is_used(demo):
    config = demo.config.model_copy(update={"selection": Selection.BEST_TEST})
    assert "CHOSEN ON THE TEST SET" in remarks(Matrix(config), ["cifar10"])
    assert "TEST SET" not in remarks(demo, ["cifar10"])
