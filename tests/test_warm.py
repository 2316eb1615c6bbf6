"""Cells that fork from a process that has loaded torch, beside the same cells made alone.

Where a cell could find torch only by importing it, a module that raises stands in its way:
what is made nevertheless was made by a fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rst_core import cli, warm
from rst_core.files import load_tensors
from rst_core.flags import to_flags
from rst_core.lease import leases
from rst_core.session import UNFINISHED
from tests.conftest import NARROW, ROOT
from tests.test_cli import PGD
from tests.test_session import CELL, TICKET, read_until, words
from tests.test_training import assert_equal, without_times

#: More epochs than any test waits for.
ENDLESS = ("--epochs", "5000")
FEATURES = (
    "features", f"{CELL}/untrained/feature_distance.json", "--data", "data.json",
    *to_flags(NARROW), "--eps-grid", "4", "8",
)  # fmt: skip
ATTACK = ("attack", f"{TICKET}/best_val/pgd3-eps8.json", "--data", "data.json", *to_flags(PGD))
ANEW = "torch was imported anew"
#: Says where the server is, and ends with its standard input.
WAITS = "import os, sys; print(os.environ['RST_WARM'], flush=True); sys.stdin.read()"


def environment(*path: Path, **more: str) -> dict[str, str]:
    one = dict.fromkeys(warm.THREADS, "1")
    plain = {k: v for k, v in os.environ.items() if k != "RST_WARM"}
    return plain | one | {"PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT]))} | more


def under_warm(*command: str, env: dict[str, str], **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rst_core", "warm", *command], env=env, text=True, **options
    )


def client(folder: Path, env: dict[str, str], *words: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rst_core", *words], cwd=folder, env=env, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def outcome(folder: Path, env: dict[str, str], *words: str, **options) -> tuple[int, str, str]:
    process = client(folder, env, *words, **options)
    out, err = process.communicate()
    return process.returncode, out, err


@dataclass
class Server:
    process: subprocess.Popen[str]
    env: dict[str, str]  # of its clients

    def end(self) -> int:
        """Let the command end."""
        self.process.stdin.close()
        return self.process.wait()


@contextlib.contextmanager
def server(folder: Path, *, torch_again: bool) -> Iterator[Server]:
    """A server in an empty folder; whether its clients could import torch themselves."""
    fakes = folder / "fakes"
    fakes.mkdir(parents=True)
    env = environment(fakes)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (folder / "said").open("w") as said:
        process = under_warm(
            sys.executable, "-c", WAITS, env=env, cwd=folder, stderr=said, **pipes
        )  # fmt: skip
        try:
            place = process.stdout.readline().strip()
            if not torch_again:
                (fakes / "torch.py").write_text(f"raise ImportError({ANEW!r})\n")
            yield Server(process, env | {"RST_WARM": place})
        finally:
            process.stdin.close()
            process.wait()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("server"), torch_again=False) as found:
        yield found


@pytest.fixture
def alone(results: Path) -> Path:
    """A second folder like ``results``, for cells that are made without a server."""
    folder = results / "alone"
    folder.mkdir()
    shutil.copy(results / "data.json", folder)
    return folder


def forks(folder: Path) -> list[int]:
    """Processes that work on cells below a folder."""
    return [holder.pid for _, holder in leases(folder / "results")]


def gone(pid: int) -> bool:
    """Wait until a process that is not this one's child has ended."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        ended, _, _ = select.select([handle], [], [], 60)
        os.close(handle)
        return bool(ended)
    return True


# -- what is made ---------------------------------------------------------------------


def test_the_same_files_as_alone_to_the_bit(results, alone, shared):
    kinds = (words(), FEATURES, ATTACK)
    for command in kinds:
        assert outcome(alone, environment(), *command)[0] == 0
        status, _, said = outcome(results, shared.env, *command)
        assert status == 0, said
        assert ANEW not in said
    for command in kinds[1:]:
        one, other = (json.loads((f / command[1]).read_text()) for f in (results, alone))
        assert one["results"]
        assert one | {"provenance": {}} == other | {"provenance": {}}
        assert one["provenance"]["key"] == other["provenance"]["key"]
        assert one["provenance"]["device"] == other["provenance"]["device"]
    for selection in ("best_val", "last"):
        file = f"{TICKET}/{selection}/ticket.pt"
        one, other = (load_tensors(folder / file) for folder in (results, alone))
        assert one.pop("provenance")["key"] == other.pop("provenance")["key"]
        assert_equal(one, other)
    metrics = [without_times(folder / TICKET / "metrics.jsonl") for folder in (results, alone)]
    assert metrics[0] == metrics[1]
    assert len(metrics[0]) == 3


def test_torch_cannot_be_imported_anew_where_that_is_the_proof(results, shared):
    cold = {k: v for k, v in shared.env.items() if k != "RST_WARM"}
    status, _, said = outcome(results, cold, *FEATURES)
    assert status == 1
    assert ANEW in said


def test_environment_and_folder_are_the_clients(results, shared):
    assert outcome(results, shared.env | {"RST_JOB": "17"}, *FEATURES)[0] == 0
    cell = results / FEATURES[1]
    assert json.loads(cell.read_text())["provenance"]["job"] == "17"
    cell.unlink()
    assert outcome(results, shared.env, *FEATURES)[0] == 0
    assert json.loads(cell.read_text())["provenance"]["job"] is None
    status, _, said = outcome(results, shared.env | {"RST_DEVICE": "tpu"}, *FEATURES)
    assert (status, said.count("\n")) == (1, 1)
    assert "RST_DEVICE is 'tpu'" in said


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (ATTACK, 1),  # there is no ticket
        (("search", "x/y.pt", "--data", "data.json", *to_flags(NARROW)), 1),
        (words("--minutes", "0.0001"), UNFINISHED),
        (("attack", "--nonsense"), 2),
    ],
)
def test_a_failure_has_the_status_and_message_that_it_has_alone(
    results, alone, shared, command, status
):
    made = outcome(results, shared.env, *command)
    assert made == outcome(alone, environment(), *command)
    assert made[0] == status
    assert made[2]


# -- signals --------------------------------------------------------------------------


def test_sigterm_saves_and_leaves_and_the_same_command_continues(results, shared):
    process = client(results, shared.env, *words(*ENDLESS))
    read_until(process, "epoch 1,")
    (pid,) = forks(results)
    assert pid != process.pid
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == UNFINISHED, said
    assert "told to stop (SIGTERM); saved, the same command continues" in said
    assert not forks(results)
    process = client(results, shared.env, *words(*ENDLESS))
    assert "continuing after epoch" in read_until(process, "continuing")
    process.send_signal(signal.SIGTERM)
    process.communicate()


@pytest.mark.parametrize(
    "signum", [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2], ids=lambda s: s.name
)
def test_a_signal_that_ends_the_fork_ends_the_client(results, shared, signum):
    process = client(results, shared.env, *words(*ENDLESS))
    read_until(process, "epoch 1,")
    (pid,) = forks(results)
    process.send_signal(signum)
    _, said = process.communicate()
    assert process.returncode == -signum
    assert gone(pid)
    assert ("KeyboardInterrupt" in said) == (signum == signal.SIGINT)


def test_a_killed_fork_is_a_killed_client(results, shared):
    process = client(results, shared.env, *words(*ENDLESS))
    read_until(process, "epoch 1,")
    (pid,) = forks(results)
    os.kill(pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_killed_client_takes_its_fork_with_it(results, shared):
    process = client(results, shared.env, *words(*ENDLESS))
    read_until(process, "epoch 1,")
    (pid,) = forks(results)
    process.kill()
    assert gone(pid)
    assert outcome(results, shared.env, *FEATURES)[0] == 0, "the server goes on"


def test_two_at_once(results, alone, shared):
    both = [client(folder, shared.env, *words(*ENDLESS)) for folder in (results, alone)]
    for process in both:
        read_until(process, "epoch 1,")
    pids = {*forks(results), *forks(alone)}
    assert len(pids) == 2
    both[0].send_signal(signal.SIGTERM)
    assert both[0].wait() == UNFINISHED
    assert [*forks(results), *forks(alone)] == [*forks(alone)] != []
    read_until(both[1], "epoch")  # undisturbed
    both[1].send_signal(signal.SIGTERM)
    assert both[1].wait() == UNFINISHED


def test_stopping_the_server_stops_its_forks(results, tmp_path):
    with server(tmp_path / "server", torch_again=False) as own:
        process = client(results, own.env, *words(*ENDLESS))
        read_until(process, "epoch 1,")
        (pid,) = forks(results)
        own.process.send_signal(signal.SIGTSTP)
        os.waitpid(own.process.pid, os.WUNTRACED)

        def state() -> str:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

        while state() != "T":  # the signal has been sent, and takes effect at once
            os.sched_yield()
        own.process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == UNFINISHED


# -- the command and the server -------------------------------------------------------


@pytest.mark.parametrize(("script", "status"), [("exit 3", 3), ("kill -TERM $$", 143)])
def test_the_status_is_the_commands(tmp_path, script, status):
    process = under_warm("sh", "-c", f'test -S "$RST_WARM" && {script}', env=environment())
    assert process.wait() == status


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_the_command_hears_what_would_end_the_server(signum):
    script = "trap 'exit 9' TERM HUP; echo ready; while :; do read line; done"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with under_warm("sh", "-c", script, env=environment(), **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)  # is the terminal's, for the command itself
        process.send_signal(signum)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait() == 9


def test_cells_that_the_command_left_behind_save_and_leave(results, tmp_path):
    with server(tmp_path / "server", torch_again=False) as own:
        process = client(results, own.env, *words(*ENDLESS))
        read_until(process, "epoch 1,")
        (pid,) = forks(results)
        assert own.end() == 0
        assert not Path(f"/proc/{pid}").exists(), "the server waits for it"
        assert process.wait() == UNFINISHED
        assert not Path(own.env["RST_WARM"]).parent.exists()


def test_without_the_server_a_cell_is_made_alone(results, tmp_path):
    with server(tmp_path / "server", torch_again=True) as own:
        own.process.kill()
        own.process.wait()
        assert Path(own.env["RST_WARM"]).exists(), "nobody listens there any more"
        status, _, said = outcome(results, own.env, *FEATURES)
        assert status == 0, said
        assert said.count("\n") == 1
        shutil.rmtree(Path(own.env["RST_WARM"]).parent)


def test_a_cell_whose_server_dies_is_continued_alone(results, tmp_path):
    with server(tmp_path / "server", torch_again=True) as own:
        process = client(results, own.env, *words("--epochs", "100"))
        read_until(process, "epoch 1,")
        (pid,) = forks(results)
        own.process.kill()
        said = read_until(process, "continuing after epoch")
        assert "told to stop (SIGTERM); saved" in said
        assert gone(pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == UNFINISHED
        shutil.rmtree(Path(own.env["RST_WARM"]).parent)


@pytest.mark.parametrize(
    ("change", "options", "what"),
    [
        ({"OMP_NUM_THREADS": "2"}, {}, "number of threads"),
        ({"PYTHONHASHSEED": "1"}, {}, "set of variables that libraries read"),
        ({}, {"umask": 0o027}, "user"),
        ({}, {"preexec_fn": lambda: os.nice(1)}, "set of limits"),
    ],
)
def test_a_process_that_a_fork_cannot_become_loads_for_itself(
    results, shared, tmp_path_factory, change, options, what
):
    status, _, said = outcome(results, shared.env | change, *FEATURES, **options)
    assert status == 1
    assert ANEW in said
    folder = Path(shared.env["PYTHONPATH"].split(os.pathsep)[0]).parent
    assert f"its {what} is not that of this process" in (folder / "said").read_text()


def test_another_source_is_another_circumstance(tmp_path, monkeypatch):
    module = tmp_path / "rst_core" / "warm.py"
    module.parent.mkdir()
    module.touch()
    monkeypatch.setattr(warm, "__file__", str(module))
    before = warm.circumstances()
    assert warm.circumstances() == before
    os.utime(module, (1, 1))
    found = warm.circumstances()
    assert [name for name in found if found[name] != before[name]] == ["source"]


@pytest.mark.parametrize("broken", ["torch", "socket"])
def test_a_server_that_cannot_be_leaves_the_command_as_it_is(tmp_path, broken):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    (deep / "torch.py").write_text(f"raise ImportError({ANEW!r})\n")
    env = environment(deep) if broken == "torch" else environment(TMPDIR=str(deep))
    process = under_warm(
        "sh", "-c", 'test -z "$RST_WARM" && exit 5', env=env, stderr=subprocess.PIPE
    )  # fmt: skip
    _, said = process.communicate()
    assert process.returncode == 5
    assert "rst warm: every cell loads for itself: " in said
    assert (ANEW if broken == "torch" else "too long") in said
    assert [p.name for p in deep.iterdir()] in (["torch.py"], ["torch.py", "__pycache__"])


def test_a_command_that_is_not_there_is_one_sentence(tmp_path):
    process = under_warm("no-such-command", env=environment(), stderr=subprocess.PIPE)
    _, said = process.communicate()
    assert process.returncode == 1
    assert said.count("\n") == 1
    assert "rst warm: " in said
    assert "'no-such-command'" in said


def test_what_is_loaded_computes_nothing_and_is_no_attack_library():
    script = (
        "import os, sys; from rst_core import warm_server\n"
        "warm_server._load()\n"
        "import torch\n"
        "assert not torch.cuda.is_initialized() and not torch.cuda._is_in_bad_fork()\n"
        "bad = {'advertorch', 'autoattack', 'pyautoattack', 'torchvision'}\n"
        "assert not bad & set(sys.modules), bad & set(sys.modules)\n"
        "assert len(os.listdir('/proc/self/task')) == 1"
    )
    several = environment() | dict.fromkeys(warm.THREADS, "2")
    subprocess.run([sys.executable, "-c", script], env=several, check=True)


# -- what is asked for ----------------------------------------------------------------


def test_cells_are_all_commands_that_make_one():
    assert set(warm.CELLS) == set(cli._COMMANDS) - set(cli._CELL_LESS)


@pytest.mark.parametrize(
    ("words", "variables", "asks"),
    [
        (["attack", "x"], {}, True),
        (["search", "x", "--processes", "1"], {}, True),
        (["search", "x", "--processes", "2"], {}, False),
        (["search", "x", "--processes=2"], {}, False),
        (["search", "--help"], {}, False),
        (["batch", "x"], {}, False),
        (["data", "x"], {}, False),
        (["plan", "attack"], {}, False),
        ([], {}, False),
        (["attack", "x"], {"RANK": "0"}, False),
        (["attack", "x"], {"RST_CLAIM": "1 a b"}, False),
        (["attack", "x"], {"TORCHELASTIC_RUN_ID": "a"}, False),
    ],
)
def test_only_cells_of_one_process_are_asked_for(monkeypatch, words, variables, asks):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert warm._is_for_a_server(words) is asks


@pytest.mark.e2e
def test_snakemake_passes_the_server_on(results, tmp_path):
    """Its jobs of one thread have the variables that a server wants."""
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    command = " ".join([sys.executable, "-m", "rst_core", *FEATURES])
    rule = f"rule cell:\n    output: {FEATURES[1]!r}\n    shell: {command!r}\n"
    (tmp_path / "Snakefile").write_text(rule)
    script = f'echo "raise ImportError({ANEW!r})" > {fakes}/torch.py && exec "$@"'
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1"]
    plain = {k: v for k, v in environment(fakes).items() if k not in warm.THREADS}
    process = under_warm(
        "sh", "-c", script, "sh", *snakemake, env=plain, stderr=subprocess.PIPE, cwd=tmp_path
    )  # fmt: skip
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert (tmp_path / FEATURES[1]).exists()
