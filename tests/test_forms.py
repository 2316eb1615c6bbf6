"""Numbers and names that stand in a path come back as they were, or are refused."""

import pytest

from rst_core.forms import check_name, format_number


def test_numbers_that_would_not_come_back_are_refused():
    assert format_number(8.0) == "8"
    assert format_number(0.05) == "0.05"
    with pytest.raises(ValueError, match="at most six decimals"):
        format_number(1 / 3)


@pytest.mark.parametrize("name", ["CIFAR-10", "a__b", "", "1st", "a/b"])
def test_names_that_would_break_a_path_are_refused(name):
    with pytest.raises(ValueError, match="lower-case words"):
        check_name("dataset", name)
