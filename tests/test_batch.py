"""Several cells in one process: the same files as one by one, and loading done once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rst_core.cells
from rst_core import cli
from rst_core.flags import to_flags
from rst_core.loaded import Loaded
from rst_core.session import UNFINISHED
from rst_core.settings import AttackSpec
from rst_core.tickets import Head, model_path, save_model
from rst_core.trainee import MaskTrainee
from rst_core.vocabulary import AttackMethod, Norm, Pattern, Selection

from .conftest import DIGITS, NARROW, narrow_classifier, rst

TICKETS = [rst(0.2), rst(0.5)]


def spec(steps: int) -> AttackSpec:
    return AttackSpec(
        name=f"pgd{steps}", method=AttackMethod.PGD, norm=Norm.LINF, eps=8, steps=steps,
        step_size=2, random_start=True, images=40, seed=0,
    )  # fmt: skip


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Two attacks on each of two tickets, and both rows of their transfer matrix."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["data", "digits.json", *to_flags(DIGITS)]) == 0
    root = Path("results/cells")
    targets = [str(model_path(root, ticket, Selection.BEST_VAL)) for ticket in TICKETS]
    found = []
    for ticket, target in zip(TICKETS, targets, strict=True):
        model = narrow_classifier()
        contents = MaskTrainee(model, ticket.keep_ratio, Pattern.ELEMENT, seed=0).contents()
        save_model(Path(target), ticket, NARROW, Head.of(DIGITS), contents, {})
        folder = Path(target).parent
        data = ["--data", "digits.json"]
        for steps in (1, 2):
            found.append(
                ["attack", f"{folder}/pgd{steps}-eps8.json", *data, *to_flags(spec(steps))]
            )
        row = f"{folder}/transfer_to_tickets-pgd1-eps8.json"
        found.append(["transfer", row, *data, *to_flags(spec(1)), "--targets", *targets])
    return found


def results(commands: list[list[str]]) -> list[object]:
    return [json.loads(Path(words[1]).read_text())["results"] for words in commands]


def in_a_batch(commands: list[list[str]]) -> int:
    Path("cells.txt").write_text("# all of them\n" + "\n".join(map(" ".join, commands)))
    return cli.main(["batch", "cells.txt"])


def test_a_batch_makes_the_files_that_its_commands_make_alone(commands):
    for words in commands:
        assert cli.main(words) == 0
    alone = results(commands)
    for words in commands:
        Path(words[1]).unlink()
    assert in_a_batch(commands) == 0
    assert results(commands) == alone
    assert not list(Path("results/checkpoints").rglob("*.pt"))


def test_a_batch_loads_images_models_and_clean_outcomes_once(commands, monkeypatch):
    calls = {"load_splits": 0, "load_trained": 0, "natural_outcomes": 0}

    def counted(name):
        plain = getattr(rst_core.cells, name)

        def call(*arguments, **options):
            calls[name] += 1
            return plain(*arguments, **options)

        return call

    for name in calls:
        monkeypatch.setattr(rst_core.cells, name, counted(name))
    assert in_a_batch(commands) == 0
    assert calls == {"load_splits": 1, "load_trained": 2, "natural_outcomes": 2}


def test_a_model_that_was_written_anew_is_loaded_anew(commands, monkeypatch):
    changed = commands[0]
    assert cli.main(changed) == 0
    before = results([changed])
    plain = cli._COMMANDS["attack"]

    def then_another_ticket(arguments, session):
        plain[0](arguments, session)
        other = model_path(Path("results/cells"), TICKETS[1], Selection.BEST_VAL)
        model = narrow_classifier()
        contents = MaskTrainee(model, 0.9, Pattern.ELEMENT, seed=1).contents()
        mine = model_path(Path("results/cells"), TICKETS[0], Selection.BEST_VAL)
        save_model(mine, TICKETS[0], NARROW, Head.of(DIGITS), contents, {})
        assert other.exists()

    monkeypatch.setitem(cli._COMMANDS, "attack", (then_another_ticket, plain[1]))
    assert in_a_batch([changed, changed]) == 0
    assert results([changed]) != before
    kept = results([changed])[0][0]["parameters_kept"]
    assert kept > 2 * before[0][0]["parameters_kept"]


def test_a_failing_cell_does_not_stop_the_others_but_counts(commands):
    missing = [word.replace("keep0.2", "keep0.3") for word in commands[0]]
    assert in_a_batch([missing, *commands[1:]]) == 1
    assert len(results(commands[1:])) == len(commands) - 1


def test_a_batch_stops_where_a_cell_is_left_unfinished(commands):
    short = [*commands[0], "--minutes", "0"]
    assert in_a_batch([short, commands[1]]) == UNFINISHED
    assert not Path(commands[1][1]).exists()


def test_a_wrong_line_ends_a_batch_before_it_begins(commands, capsys):
    assert in_a_batch([commands[0], ["data", "other.json"]]) == 1
    assert "allowed is train, search, finetune, attack, transfer" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        in_a_batch([commands[0], ["attack", "--nonsense"]])
    assert not Path(commands[0][1]).exists()


def test_the_least_recently_used_value_goes_first():
    loaded = Loaded(limit=2)
    assert [loaded.get(key, lambda key=key: key) for key in ("a", "b", "a", "c")] == list("abac")
    assert loaded.get("a", lambda: "anew") == "a"
    assert loaded.get("b", lambda: "anew") == "anew"
