"""A page knows itself and the files that were made with it."""

import shutil

import pytest

from rst_core.job.verify import verify
from rst_core.pages import stamp, stamped
from rst_core.storage import FileError


@pytest.fixture
def page(tmp_path):
    """A page with two files, as a table has."""
    path = tmp_path / "results/pages/table3/Table 3.html"
    files = [tmp_path / f"results/tables/table3.{suffix}" for suffix in ("csv", "png")]
    for one in (path, *files):
        one.parent.mkdir(parents=True, exist_ok=True)
        one.write_text("<html><head></head><body>60.9</body></html>")
    stamp(path, "abc123", files)
    return path


def test_a_page_tells_its_key_wherever_the_results_are(page, tmp_path):
    assert stamped(page) == "abc123"
    moved = shutil.move(tmp_path / "results", tmp_path / "elsewhere")
    assert stamped(moved / "pages/table3/Table 3.html") == "abc123"
    plain = tmp_path / "plain.html"
    plain.write_text("<html><head></head></html>")
    assert stamped(plain) == ""


@pytest.mark.parametrize(
    "name", ["tables/table3.csv", "tables/table3.png", "pages/table3/Table 3.html"]
)
def test_a_change_of_the_page_or_of_a_file_is_seen(page, tmp_path, name, capsys):
    results = tmp_path / "results"
    assert verify(results) == 0
    text = (results / name).read_text()
    (results / name).write_text(text.replace("60.9", "70.9"))
    with pytest.raises(FileError, match="was changed since; delete the page"):
        stamped(page)
    assert verify(results) == 1
    assert capsys.readouterr().out.startswith(f"{page} or a file made with it")
    (results / name).write_text(text)
    assert stamped(page)
    if name != "pages/table3/Table 3.html":
        (results / name).unlink()
        with pytest.raises(FileError):
            stamped(page)
