import pytest

from tests.readme import LOG, ROOT, log_part
from workflow.measured_page import fill, filled

PAGE = """# Title
<!-- measured: one -->
old one
<!-- end -->
Typed in.
<!-- measured: two of them -->
<!-- end -->
The end.
"""


#: What a pattern of replacement would take for a group.
LITERAL = r"\1 \g<begin>"


def test_filling_replaces_what_stands_between_a_parts_marks_literally_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    fill(page, {"one": "new"})
    fill(page, {"one": LITERAL, "two of them": "a\nb\n"})
    expected = PAGE.replace("old one", LITERAL).replace("them -->\n", "them -->\na\nb\n")
    assert page.read_text() == expected


def test_every_part_can_be_made_from_its_name():
    assert filled(PAGE, lambda name: name.upper() + LITERAL) == PAGE.replace(
        "old one", f"ONE{LITERAL}"
    ).replace("them -->\n", f"them -->\nTWO OF THEM{LITERAL}\n")


def test_a_page_without_the_part_is_said_and_left_as_it_is(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(ValueError, match="has no <!-- measured: three -->"):
        fill(page, {"one": "new", "three": ""})
    assert page.read_text() == PAGE


def test_the_readme_shows_lines_of_the_log_that_lies_beside_it():
    shown = log_part(LOG.read_text())
    assert f"<!-- measured: demo log -->\n{shown}\n<!-- end -->" in (ROOT / "README.md").read_text()
