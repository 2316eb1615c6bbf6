"""How rows and columns are named."""

import pytest

from workflow.artifacts.numbers.summary import paper_values
from workflow.artifacts.tables.entries import TABLES
from workflow.artifacts.tables.keys import ColumnKey, RowKey


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"table7"}))
def test_the_papers_keys_are_the_keys_of_rows_and_columns(name):
    for row, column in paper_values(name):
        assert str(RowKey.parse(row)) == row
        assert str(ColumnKey.parse(column)) == column


def test_a_key_that_names_no_row_is_refused():
    with pytest.raises(ValueError, match="'resnet18' names no row; allowed is NETWORK/MODEL"):
        RowKey.parse("resnet18")
