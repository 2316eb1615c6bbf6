"""What a script that shows results says where it cannot."""

import sys

import pytest

from rst_core.storage import FileError
from workflow.showing import logged


@pytest.mark.parametrize(
    ("error", "sentence", "defect"),
    [
        (FileError("a.json is damaged"), "a.json is damaged", False),
        (OSError("no space left"), "no space left", False),
        (KeyError("x"), "KeyError: 'x'; the traceback is in {log}", True),
    ],
)
def test_an_error_is_the_last_line_of_the_log_and_ends_the_program(
    tmp_path, error, sentence, defect
):
    log = tmp_path / "figure.log"

    def script():
        with logged(log):
            print("a warning", file=sys.stderr)
            raise error

    with pytest.raises(SystemExit) as end:
        script()
    text = log.read_text()
    assert end.value.code == sentence.format(log=log)
    assert text.startswith("a warning\n")
    assert text.endswith(sentence.format(log=log))
    assert ("Traceback" in text) == defect


def test_what_succeeds_goes_on_and_its_words_are_in_the_log(tmp_path, capsys):
    with logged(tmp_path / "figure.log"):
        print("a warning", file=sys.stderr)
    assert (tmp_path / "figure.log").read_text() == "a warning\n"
    assert capsys.readouterr().err == ""
