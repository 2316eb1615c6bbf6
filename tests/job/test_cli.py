import json
import subprocess
import sys

import pytest

from rst_core.job.cli import main
from rst_core.settings import validation_attack
from tests.conftest import BRIEF, NARROW, ROOT
from tests.job.flags import to_flags

CELLS = "cells/digits/narrow/signed_kaiming_constant-seed0"
PGD = validation_attack(8, 3)


@pytest.mark.parametrize("command", [[], ["search"], ["attack"], ["transfer"], ["data"]])
def test_help_shows_units_and_loads_no_torch(command):
    script = (
        "import sys; from rst_core.job.cli import main\n"
        f"try: main({[*command, '--help']!r})\n"
        "except SystemExit as e: assert e.code == 0\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "1/255" in found.stdout


def test_the_science_imports_without_snakemake_and_attack_libraries():
    script = (
        "import sys\n"
        "for name in ('snakemake', 'autoattack', 'pyautoattack', 'advertorch', 'pydantic',"
        " 'pandas', 'matplotlib', 'sklearn', 'tqdm'):\n"
        "    sys.modules[name] = None\n"
        "import rst_core.job.cells, rst_core.job.cli, rst_core.models.r2s, rst_core.device.compat"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert found.returncode == 0, found.stderr


def training(command: str, recipe: str, file: str) -> int:
    flags = [*to_flags(NARROW), *to_flags(BRIEF), "--batch-size", "128", "--threads", "1"]
    cell = f"{CELLS}/{recipe}/best_val/{file}"
    return main([command, cell, "--data", "data.json", *flags])


@pytest.mark.slow
def test_the_whole_chain_by_hand(results):
    """Every command once, each from files that an earlier one wrote."""
    ticket, small = "rst-keep0.3-element-pgd7-eps8", "rst-keep0.1-element-pgd7-eps8"
    assert training("train", "dense-natural", "weights.pt") == 0
    assert training("search", ticket, "ticket.pt") == 0
    assert training("search", small, "ticket.pt") == 0
    assert training("search", "rtt_natural-keep0.3-kernel-fgsm_rs-eps8", "ticket.pt") == 0
    assert training("finetune", f"finetuned_inherited_{ticket}", "weights.pt") == 0
    attack = ["--data", "data.json", *to_flags(PGD)]
    for recipe in (ticket, "rtt_natural-keep0.3-kernel-fgsm_rs-eps8", "dense-natural"):
        assert main(["attack", f"{CELLS}/{recipe}/best_val/pgd3-eps8.json", *attack]) == 0
    row = f"{CELLS}/{ticket}/best_val/transfer_to_tickets-pgd3-eps8.json"
    targets = [f"{CELLS}/{t}/best_val/ticket.pt" for t in (ticket, small)]
    assert main(["transfer", row, *attack, "--targets", *targets]) == 0
    eot = [*attack, "--name", "eot_pgd3", "--method", "eot", "--no-stop-at-success"]
    both = f"{CELLS}/r2s_rst-keep0.1+0.3-element-pgd7-eps8/best_val/eot_pgd3-eps8.json"
    assert main(["attack", both, *eot]) == 0
    features = f"{CELLS}/untrained/feature_distance.json"
    grid = ["--data", "data.json", *to_flags(NARROW), "--eps-grid", "4", "8"]
    assert main(["features", features, *grid]) == 0

    record = json.loads((results / row).read_text())
    own = json.loads((results / CELLS / ticket / "best_val/pgd3-eps8.json").read_text())
    assert record["results"][0] == own["results"][0]
    assert own["settings"]["attack"]["eps"] == 8
    kept = own["results"][0]["parameters_kept"] / own["results"][0]["parameters"]
    assert kept == pytest.approx(0.3, abs=0.001)
    for key in ("revision", "torch", "device", "started", "finished", "wall_seconds"):
        assert own["provenance"][key]
    assert own["provenance"]["precision"] == "float32"
    assert not list(results.glob("**/*.part"))
    assert not list((results / "checkpoints").rglob("*.pt"))
    metrics = (results / CELLS / ticket / "metrics.jsonl").read_text().splitlines()
    assert len(metrics) == BRIEF.epochs


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "x/y.pt", "--data", "data.json"], "names no"),
        (["search", f"{CELLS}/dense-natural/best_val/weights.pt", "--data", "d"], "kind Dense"),
        (["attack", f"{CELLS}/dense-natural/best_val/pgd3-eps8.json", "--data", "d"], "d does not"),
    ],
)
def test_failures_are_one_sentence_and_a_status(results, words, message, capsys):
    kind = {"search": [*to_flags(NARROW)], "attack": [*to_flags(PGD)]}[words[0]]
    assert main([*words, *kind]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "Traceback" not in error
    assert not list(results.rglob("*.part"))


def test_a_value_outside_the_vocabulary_names_the_choices(results, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["search", "x", "--data", "d", "--architecture", "vgg"])
    assert stop.value.code == 2
    assert "preact_resnet18" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--threads", "-1"], "allowed is a whole number from 1"),
        (["--processes", "0"], "allowed is a whole number from 1"),
        (["--workers", "-3"], "allowed is a whole number from 0"),
        (["--settings", '{"attack": {"eps": 8, "eps": 12}}'], "a name occurs twice"),
    ],
)
def test_a_flag_that_cannot_be_is_refused_in_a_sentence(words, said, capsys):
    cell = "results/cells/a/b/kaiming_normal-seed0/dense-natural/best_val/pgd20-eps8.json"
    try:
        status = main(["attack", cell, "--data", "a.json", *words])
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert said in capsys.readouterr().err
