"""CONTRIBUTING's recipes as edits of a copy of the project."""

from __future__ import annotations

from pathlib import Path


def insert(file: Path, after: str, text: str) -> None:
    """Write a line behind the first that ends with ``after``."""
    before, found, behind = file.read_text().partition(f"{after}\n")
    assert found, f"{file.name} has no line {after!r}: CONTRIBUTING is out of date"
    file.write_text(f"{before}{found}{text}\n{behind}")


def replace(file: Path, old: str, new: str, of: str = "") -> None:
    """Write something else in the one place where a file has it, of lines with ``of``."""
    lines = file.read_text().splitlines(keepends=True)
    found = [i for i, line in enumerate(lines) if old in line and of in line]
    assert len(found) == 1, f"{file.name} has not once {old!r}: CONTRIBUTING is out of date"
    lines[found[0]] = lines[found[0]].replace(old, new)
    file.write_text("".join(lines))


_ENUM = '''

class ScoreSign(StrEnum):
    """Which signs initial scores have."""

    BOTH = "both"
    POSITIVE = "positive"'''
_AXIS = """    Axis(
        "score_sign",
        Ticket,
        "score_sign",
        "which signs the search's first scores have",
        "score_signs",
        Ticket.score_sign,
        later=True,
    ),"""


def add_axis(core: Path) -> None:
    """Of tickets: whether all scores are positive when a search begins."""
    vocabulary, identity = core / "vocabulary.py", core / "identity.py"
    insert(vocabulary, 'WEIGHT_FAN = "weight_fan"', _ENUM)
    replace(identity, "[-{score_init}]-", "[-{score_init}][-{score_sign}]-")
    field = "score_init: ScoreInit = ScoreInit.RELEASED"
    insert(identity, f"    {field}", "    score_sign: ScoreSign = ScoreSign.BOTH")
    insert(core / "axes.py", '"patterns", Pattern.ELEMENT),', _AXIS)
    masks, trainee = core / "models/masks.py", core / "training/trainee.py"
    for file in (identity, masks, trainee):
        replace(file, " ScoreInit", " ScoreInit, ScoreSign", of="from rst_core.vocabulary")
    for file in (masks, trainee):
        insert(file, f"    {field},", "        score_sign: ScoreSign = ScoreSign.BOTH,")
    drawn = "scores.uniform_(-bound, bound, generator=rng)"
    replace(masks, drawn, f"{drawn}.abs_() if score_sign == 'positive' else {drawn}")
    replace(trainee, "seed, score_init)", "seed, score_init, score_sign)")
    replace(trainee, "ticket.score_init)", "ticket.score_init, ticket.score_sign)")
