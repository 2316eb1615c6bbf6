"""Cells that cannot be read are named."""

import pytest

from workflow.artifacts.numbers.frame import COLUMNS, read_cells


def test_a_damaged_cell_file_is_named(tmp_path):
    path = tmp_path / "cell.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"cell.json is damaged.*delete it"):
        read_cells([path])
    assert list(read_cells([]).columns) == COLUMNS
