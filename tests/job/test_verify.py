"""rst verify: which files are not as they were written."""

from pathlib import Path

from rst_core.job.cli import main
from tests.job.flags import to_flags
from tests.job.test_cli import PGD
from tests.job.test_commands import TICKET, words


def test_verify_lists_what_is_wrong_and_nothing_else(results, capsys):
    assert main(words()) == 0
    attack = f"{TICKET.rpartition('/')[0]}/pgd3-eps8.json"
    assert main(["attack", attack, "--data", "data.json", *to_flags(PGD)]) == 0
    capsys.readouterr()
    assert main(["verify"]) == 0
    assert capsys.readouterr().err == "3 files checked, 0 wrong\n"
    # What the workflow writes down of a cell or a dataset that failed is none.
    for file in (Path("cells", Path(attack).name), "data/photos.json"):
        record = Path("results/failed", file)
        record.parent.mkdir(parents=True)
        record.write_text('{"failed": "rst attack: ...", "log": "results/logs/a.log"}\n')
    assert main(["verify", "results"]) == main(["verify"]) == 0
    assert capsys.readouterr().err == 2 * "3 files checked, 0 wrong\n"
    last = Path(TICKET.replace("best_val", "last"))
    last.write_bytes(last.read_bytes()[:-7])
    other = Path(attack).with_name("pgd3-eps4.json")
    other.write_bytes(Path(attack).read_bytes())
    capsys.readouterr()
    assert main(["verify", "results"]) == 1
    wrong = capsys.readouterr().out.splitlines()
    assert len(wrong) == 2
    assert any(str(last) in line and "is damaged" in line for line in wrong)
    assert any(str(other) in line and "it holds digits/" in line for line in wrong)
    other.unlink()
    last.unlink()
    assert main(words(lr=0.2)) == 0
    capsys.readouterr()
    assert main(["verify"]) == 1
    assert "was made from another digits/" in capsys.readouterr().out
    assert main(["verify", "nowhere"]) == 1
