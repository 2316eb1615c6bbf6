"""The paper's numbers as they are read, and what is said of data that stand in for the paper's."""

import pytest

from rst_core.storage import FileError
from workflow.artifacts.numbers.summary import paper_values
from workflow.artifacts.numbers.summary import printed as read_printed


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
