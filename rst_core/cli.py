"""``rst``: what the workflow's rules call and what a user can type.

Every command takes the path of one cell, which is its identity, and flags, which are its
settings. Nothing that computes is imported before it is needed, so that help is quick.
``rst batch FILE`` runs many such commands in one process, which loads what they share once.
``rst warm COMMAND`` loads torch once for all cells that are made one by one below COMMAND.
``--processes N`` spreads a cell over N GPUs of a node through ``torchrun``; training and
attacks get faster, and results change by rounding only.

Exit status: 0 the cell is finished; 75 it was left unfinished, out of time or told to stop
by SIGTERM, and the same command continues it; 1 it failed, for a reason of one sentence;
2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import rst_core
from rst_core import extensions, warm
from rst_core.allocator import keep_freed_memory
from rst_core.flags import add_flags, from_flags
from rst_core.lease import Claim, Sight, held
from rst_core.loaded import Loaded
from rst_core.progress import say
from rst_core.session import UNFINISHED, LeftUnfinished, Session
from rst_core.settings import AttackSpec, DatasetSettings, NetworkSettings, TrainingSettings
from rst_core.spec import (
    Cell,
    Dense,
    Evaluation,
    FeatureDistance,
    FineTuned,
    Ticket,
    TrainingCell,
    TransferRow,
    split_cell_path,
)
from rst_core.vocabulary import Selection

_EXAMPLE = "cifar10/resnet18/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8"
_UNITS = (
    "Units: L-infinity eps and steps are in 1/255 of the pixel range (8 means 8/255), L2 sizes "
    "are on images in [0, 1], keep ratios are fractions, accuracies in logs are percentages."
)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    more = f"Further commands: {', '.join(extensions.names()) or 'none'}. "
    top = argparse.ArgumentParser(prog="rst", description=__doc__, epilog=more + _UNITS)
    top.add_argument("--version", action="version", version=f"rst_core {rst_core.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, help_text) in _COMMANDS.items():
        command = commands.add_parser(
            name, help=help_text, description=help_text, epilog=_UNITS, allow_abbrev=False
        )
        _ARGUMENTS[name](command)
        if name not in _CELL_LESS:
            _job_arguments(command)
    return top


def _job_arguments(command: argparse.ArgumentParser) -> None:
    """How the job runs: none of these changes the result, but by rounding."""
    job = command.add_argument_group("job")
    job.add_argument("--threads", type=int, metavar="N", help="CPU threads to use")
    job.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="processes that share the cell, one a GPU (default: %(default)s)",
    )
    job.add_argument(
        "--workers",
        type=int,
        default=4,
        metavar="N",
        help="processes (beside each GPU's own) that decode images of a streamed_folder; "
        "0 decodes without any; changes no result (default: %(default)s)",
    )
    job.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help="the job's time; before it is over, what is done is saved and the exit status "
        "is 75 (default: no limit)",
    )
    job.add_argument(
        "--device",
        choices=["auto", "cuda", "cpu"],
        help="where to compute; cuda fails where there is no GPU (default: RST_DEVICE, or auto)",
    )
    job.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="give finished results a second name in this folder, and take them from there "
        "instead of making them again, if inputs and code are the same (default: no)",
    )


def _cell_argument(command: argparse.ArgumentParser, file: str) -> None:
    command.add_argument(
        "cell", type=Path, help=f"file to make, such as results/cells/{_EXAMPLE}/{file}"
    )
    command.add_argument(
        "--data", type=Path, required=True, help="the dataset's manifest, made by 'rst data'"
    )


def _data_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("manifest", type=Path, help="JSON file to write")
    command.add_argument("--download", action="store_true", help="fetch what is missing")
    add_flags(command, DatasetSettings, "dataset")


def _training_arguments(command: argparse.ArgumentParser) -> None:
    _cell_argument(command, "best_val/ticket.pt")
    command.add_argument(
        "--selections",
        nargs="+",
        choices=[s.value for s in Selection],
        default=["best_val", "last"],
        help="epochs to keep; each gets a folder (default: %(default)s)",
    )
    command.add_argument(
        "--base",
        choices=[s.value for s in Selection],
        default="best_val",
        help="epoch of the dense or ticket that this one starts from (default: %(default)s)",
    )
    add_flags(command, NetworkSettings, "network")
    add_flags(command, TrainingSettings, "training")


def _attack_arguments(command: argparse.ArgumentParser) -> None:
    _cell_argument(command, "best_val/pgd20-eps8.json")
    _attack_flags(command)


def _transfer_arguments(command: argparse.ArgumentParser) -> None:
    _cell_argument(command, "best_val/transfer_to_tickets-pgd20-eps8.json")
    command.add_argument(
        "--targets", nargs="+", type=Path, required=True, help="model files to evaluate"
    )
    _attack_flags(command)


def _attack_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--batch-size", type=int, default=500, metavar="N", help="images at a time"
    )
    add_flags(command, AttackSpec, "attack")


def _features_arguments(command: argparse.ArgumentParser) -> None:
    _cell_argument(command, "…/dense-natural/best_val/feature_distance.json")
    command.add_argument(
        "--eps-grid", nargs="+", type=float, required=True, help="noise magnitudes in 1/255"
    )
    add_flags(command, NetworkSettings, "network")


def _batch_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "file",
        type=Path,
        help="text file (- is standard input) with a command a line, without the word rst, such "
        "as: attack CELL --data MANIFEST …; each makes the file that it would make alone",
    )


def _warm_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "program",
        metavar="COMMAND",
        help="what to run, such as: snakemake --profile demo all; its exit status is the exit "
        "status, 128 + N if signal N killed it",
    )
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="ARG", help="its arguments")


def _split(path: Path, *kinds: type[Cell]) -> tuple[Path, Cell]:
    root, cell = split_cell_path(path.as_posix())
    if not isinstance(cell, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{path} is a {type(cell).__name__}; this command makes a {wanted}")
    return Path(root), cell


def _data(arguments: argparse.Namespace, session: Session) -> None:
    from rst_core.cells import make_data_manifest

    dataset = from_flags(DatasetSettings, vars(arguments))
    make_data_manifest(arguments.manifest, dataset, download=arguments.download)


def _train(arguments: argparse.Namespace, session: Session, *models: type) -> None:
    root, cell = _split(arguments.cell, TrainingCell)
    assert isinstance(cell, TrainingCell)
    if not isinstance(cell.model, models):
        raise ValueError(
            f"{arguments.cell} is a {type(cell.model).__name__}, which another command makes: "
            "search makes tickets, train denses, finetune fine-tuned tickets"
        )
    from rst_core.cells import make_trained, read_data_manifest

    values = vars(arguments)
    make_trained(
        root,
        cell.model,
        read_data_manifest(arguments.data),
        from_flags(NetworkSettings, values),
        from_flags(TrainingSettings, values),
        selections=tuple(Selection(s) for s in arguments.selections),
        base=Selection(arguments.base),
        workers=arguments.workers,
        session=session,
    )


def _attack(arguments: argparse.Namespace, session: Session) -> None:
    root, cell = _split(arguments.cell, Evaluation)
    assert isinstance(cell, Evaluation)
    from rst_core.cells import make_evaluation, read_data_manifest

    values = vars(arguments)
    make_evaluation(
        root,
        cell,
        read_data_manifest(arguments.data),
        from_flags(AttackSpec, values),
        arguments.batch_size,
        arguments.workers,
        session,
    )


def _transfer(arguments: argparse.Namespace, session: Session) -> None:
    root, cell = _split(arguments.cell, TransferRow)
    assert isinstance(cell, TransferRow)
    targets = []
    for path in arguments.targets:
        target_root, target = _split(path, TrainingCell)
        if target_root != root:
            raise ValueError(f"{path} is outside {root}, where the cell is")
        assert isinstance(target, TrainingCell)
        targets.append((target.model, target.selection))
    from rst_core.cells import make_transfer_row, read_data_manifest

    values = vars(arguments)
    make_transfer_row(
        root,
        cell,
        targets,
        read_data_manifest(arguments.data),
        from_flags(AttackSpec, values),
        arguments.batch_size,
        arguments.workers,
        session,
    )


def _features(arguments: argparse.Namespace, session: Session) -> None:
    root, cell = _split(arguments.cell, FeatureDistance)
    assert isinstance(cell, FeatureDistance)
    from rst_core.cells import make_feature_distance, read_data_manifest

    values = vars(arguments)
    make_feature_distance(
        root,
        cell,
        read_data_manifest(arguments.data),
        from_flags(NetworkSettings, values),
        tuple(arguments.eps_grid),
        arguments.workers,
        session,
    )


def _batch(arguments: argparse.Namespace, session: Session) -> int:
    """Run every line; the status of the worst, leaving at the first that is left unfinished."""
    source = sys.stdin if str(arguments.file) == "-" else arguments.file.open(encoding="utf-8")
    with source as lines:
        commands = [shlex.split(line, comments=True) for line in lines]
    commands = [words for words in commands if words]
    for words in commands:
        if words[0] in _CELL_LESS or words[0] not in _COMMANDS:
            allowed = ", ".join(name for name in _COMMANDS if name not in _CELL_LESS)
            raise ValueError(
                f"{arguments.file} has a line that starts with {words[0]!r}; allowed is {allowed}"
            )
        parser().parse_args(words)  # a wrong line ends all before the first has begun
    worst = 0
    for words in commands:
        status = _one(words, session.loaded)
        if status == UNFINISHED:
            return status
        worst = max(worst, status)
    return worst


def _warm(arguments: argparse.Namespace) -> int:
    """Serve; in a fork, make the cell. No session and no torch before: a fork has its own."""
    from rst_core import warm_server

    try:
        return warm_server.run(
            [arguments.program, *arguments.words], lambda words: _one(words, Loaded())
        )
    except OSError as error:
        print(f"rst warm: {error}", file=sys.stderr, flush=True)
        return 1


_ARGUMENTS = {
    "data": _data_arguments,
    "train": _training_arguments,
    "search": _training_arguments,
    "finetune": _training_arguments,
    "attack": _attack_arguments,
    "transfer": _transfer_arguments,
    "features": _features_arguments,
    "batch": _batch_arguments,
    "warm": _warm_arguments,
}

_COMMANDS: dict[str, tuple[Callable[..., int | None], str]] = {
    "data": (_data, "load (and fetch) a dataset, and write what was found"),
    "train": (lambda *a: _train(*a, Dense), "train a dense network, naturally or adversarially"),
    "search": (lambda *a: _train(*a, Ticket), "search a ticket: an RST or an RTT"),
    "finetune": (lambda *a: _train(*a, FineTuned), "fine-tune a ticket under its fixed mask"),
    "attack": (_attack, "attack one model, or a candidate set adaptively"),
    "transfer": (_transfer, "attack one model and evaluate others on the same images"),
    "features": (_features, "measure how far noise moves a network's features"),
    "batch": (_batch, "run several commands in one process, which loads what they share once"),
    "warm": (_warm, "run a command below which cells start without loading torch each (Linux)"),
}
#: Commands that make no cell.
_CELL_LESS = ("data", "batch", "warm")


#: Set for the processes that share a cell: the claim of the one that started them.
_CLAIM = "RST_CLAIM"


def _spread(words: list[str], processes: int, session: Session, claim: Claim) -> int:
    """Run the same command in several processes of this node; the exit status is theirs."""
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    if session.minutes_left is not None:
        words = [*words, "--minutes", str(session.minutes_left)]
    os.environ[_CLAIM] = f"{claim.number} {claim.token} {claim.folder.absolute()}"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # What torchrun --standalone does, but in this process, which so learns their exit status.
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=claim.token,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "rst_core", *words)
    except SignalException:
        return UNFINISHED  # it has passed the signal on, and waited for them to save
    except ChildFailedError as error:
        codes = {failure.exitcode for failure in error.failures.values()}
        return UNFINISHED if codes == {UNFINISHED} else 1
    finally:
        del os.environ[_CLAIM]
    return 0


@contextmanager
def _lease(arguments: argparse.Namespace, session: Session) -> Iterator[Claim | None]:
    """Hold the cell's lease, or watch that of the process that started this one."""
    if arguments.command in _CELL_LESS:
        yield None
        return
    if _CLAIM in os.environ:
        number, token, place = os.environ[_CLAIM].split(" ", 2)
        session.superseded = Claim(Path(place), int(number), token).lost
        yield None
        return
    if os.environ.get("RANK", "0") != "0":
        yield None
        return
    from rst_core.cells import checkpoints, lease_path

    def may_wait(sight: Sight) -> None:
        if (verdict := session.verdict("wait")).leave:
            session.leave(verdict, f"to {sight.holder}")

    above, cell = split_cell_path(arguments.cell.as_posix())
    root = Path(above)
    folder, within = lease_path(root, cell), checkpoints(root)
    with held(folder, within=within, may_wait=may_wait) as (claim, waited):
        session.superseded, session.waited = claim.lost, waited
        yield claim


def main(argv: list[str] | None = None) -> int:
    """Run one command; see the top of this module for the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if argv is None and (status := warm.made(words)) is not None:
        return status
    if words[:1] == ["warm"]:
        return _warm(parser().parse_args(words))
    if words and words[0] not in _COMMANDS and (entry := extensions.find(words[0])):
        return extensions.run(entry, words[1:])
    return _one(words, Loaded())


def _one(words: list[str], loaded: Loaded) -> int:
    """Run one command with what this process has loaded so far."""
    session = Session(loaded=loaded)
    arguments = parser().parse_args(words)
    session.minutes = getattr(arguments, "minutes", None)
    session.keep = getattr(arguments, "keep", None)
    if getattr(arguments, "device", None):
        os.environ["RST_DEVICE"] = arguments.device
    try:
        with session.until_told(), _lease(arguments, session) as claim:
            return _run(words, arguments, session, claim)
    except LeftUnfinished as left:
        say(f"rst {arguments.command}: {left}")
        return UNFINISHED
    except (ValueError, OSError, RuntimeError) as error:
        # Not through the log, where one of several processes speaks: this is any of them.
        print(f"rst {arguments.command}: {error}", file=sys.stderr, flush=True)
        return 1


def _run(
    words: list[str], arguments: argparse.Namespace, session: Session, claim: Claim | None
) -> int:
    if getattr(arguments, "processes", 1) > 1 and "TORCHELASTIC_RUN_ID" not in os.environ:
        assert claim is not None
        return _spread(words, arguments.processes, session, claim)
    if getattr(arguments, "threads", None):
        import torch

        torch.set_num_threads(arguments.threads)
    from rst_core.distributed import processes

    keep_freed_memory()
    with processes():
        return _COMMANDS[arguments.command][0](arguments, session) or 0


if __name__ == "__main__":
    sys.exit(main())
