"""What a file says of the precision that it was computed in is what torch was set to."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch

from rst_core.job.cli import main
from rst_core.records import read_cell
from rst_core.storage import DamagedFileError, read_header, write_json
from tests.conftest import NARROW
from tests.job.flags import to_flags
from tests.job.test_cli import CELLS, PGD
from tests.job.test_commands import TICKET, one_line, words

FEATURES = f"{CELLS}/untrained/feature_distance.json"
MEASURE = ["features", FEATURES, "--data", "data.json", *to_flags(NARROW), "--eps-grid", "8"]
ATTACK = f"{TICKET.rpartition('/')[0]}/pgd3-eps8.json"


@contextmanager
def matrix_products(how: str):
    torch.set_float32_matmul_precision(how)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


#: Ways to have a CPU compute otherwise, with what it then computes in.
OTHER: dict[str, tuple[Callable[[], AbstractContextManager[None]], str]] = {
    "autocast": (lambda: torch.autocast("cpu", torch.bfloat16), "bfloat16"),
    "matrix products": (lambda: matrix_products("medium"), "bfloat16"),
    "some of them": (lambda: matrix_products("high"), "tf32"),
}


@pytest.mark.parametrize("how", OTHER)
def test_nothing_is_measured_in_another_precision(results, capsys, how):
    set_otherwise, found = OTHER[how]
    with set_otherwise():
        assert main(MEASURE) == 1
    assert f"compute in {found}; allowed for what is measured is float32" in one_line(capsys)
    assert not Path(FEATURES).exists()
    assert main(MEASURE) == 0
    assert read_cell(Path(FEATURES))["provenance"]["precision"] == "float32"


@pytest.mark.parametrize(
    ("asked", "found"), [("tf32", "float32"), ("float32", "float32"), ("bfloat16", "bfloat16")]
)
def test_a_model_says_what_it_was_trained_in_and_what_attacks_it_float32(results, asked, found):
    """A CPU has no TF32."""
    assert main(words(precision=asked)) == 0
    header = read_header(Path(TICKET))
    assert header["provenance"]["precision"] == found
    assert header["settings"]["training"]["precision"] == asked
    assert main(["attack", ATTACK, "--data", "data.json", *to_flags(PGD)]) == 0
    assert read_cell(Path(ATTACK))["provenance"]["precision"] == "float32"


def test_a_file_that_says_nothing_is_read_and_one_in_another_precision_is_not(results):
    assert main(MEASURE) == 0
    record = {k: v for k, v in json.loads(Path(FEATURES).read_text()).items() if k != "check"}
    del record["provenance"]["precision"]
    write_json(Path(FEATURES), record)
    assert "precision" not in read_cell(Path(FEATURES))["provenance"]
    for found in ("tf32", None):
        record["provenance"]["precision"] = found
        write_json(Path(FEATURES), record)
        with pytest.raises(DamagedFileError, match=f"it was measured in {found}"):
            read_cell(Path(FEATURES))
