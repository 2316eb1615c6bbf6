"""The commands of ``rst``: arguments, settings, and what each makes. Loads torch only to run."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rst_core
from rst_core.data.manifest import Manifest, read_manifest
from rst_core.forms import check_name
from rst_core.identity import (
    Dense,
    Evaluation,
    FeatureDistance,
    FineTuned,
    Ticket,
    TrainingCell,
    TransferRow,
    split_cell_path,
)
from rst_core.job.flags import add_flags, settings_of
from rst_core.job.recipe import (
    AttackRecipe,
    FeaturesRecipe,
    ImportRecipe,
    Recipe,
    TrainingRecipe,
    named,
)
from rst_core.ranges import Range, check_ranges, option, require
from rst_core.settings import AttackSpec, DatasetSettings, NetworkSettings, TrainingSettings
from rst_core.vocabulary import CheckpointLayout, Selection

_EXAMPLE = "results/cells/cifar10/resnet18/signed_kaiming_constant-seed0"
_TICKET = "rst-keep0.2-element-pgd7-eps8/best_val"
_UNITS = (
    "Units: L-infinity eps and steps are in 1/255 of the pixel range (8 means 8/255), L2 sizes "
    "are on images in [0, 1], keep ratios are fractions, accuracies in logs are percentages."
)
_KEPT = (Selection.BEST_VAL, Selection.LAST)


@dataclass(frozen=True, kw_only=True)
class _Training:
    """Settings of a training beside network and schedule."""

    selections: tuple[Selection, ...] = option("epochs to keep; each gets a folder", _KEPT)
    base: Selection = option(
        "epoch of the dense or ticket that this one starts from", Selection.BEST_VAL
    )


@dataclass(frozen=True, kw_only=True)
class _Import:
    """Settings of an import beside the network."""

    layout: CheckpointLayout = option(
        "how it names its tensors: as the networks here or torchvision's do, or as the paper's "
        "released code does",
        CheckpointLayout.STATE_DICT,
    )
    selections: tuple[Selection, ...] = option("epochs that it stands for", _KEPT)


@dataclass(frozen=True, kw_only=True)
class _Attack:
    """Settings of an attack's cell beside the attack."""

    batch_size: int = option("images at a time", 500, Range(1, 10_000_000))

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class _Features:
    """Settings of feature distances beside the network."""

    eps_grid: tuple[float, ...] = option("noise magnitudes in 1/255", each=Range(0, 255))

    def __post_init__(self) -> None:
        check_ranges(self)
        require(bool(self.eps_grid), "eps_grid", self.eps_grid, "one or more sizes in 1/255")


#: What a command does: makes cells, or computes at once and returns an exit status.
Job = Recipe | Callable[[], int]


@dataclass(frozen=True)
class _Place:
    """Where a command makes which cell, of which dataset."""

    arguments: Namespace
    root: Path
    data: Manifest
    cell: Any


@dataclass(frozen=True)
class Command:
    """A command of ``rst``.

    Attributes:
        help: what it does.
        make: from its place (or arguments, if it makes no cell) and settings to its job.
        sections: its settings by their names in a document; "" is the top level.
        makes: kinds of cells or models; none if it makes no cell.
        example: a file that it makes.
        add: adds its other arguments.
    """

    help: str
    make: Callable[..., Job]
    sections: Mapping[str, type] = field(default_factory=dict)
    makes: tuple[type, ...] = ()
    example: str = ""
    add: Callable[[ArgumentParser], object] = lambda parser: None

    def job(self, arguments: Namespace) -> Job:
        """What the parsed arguments ask for.

        Raises ``UsageError`` for settings that are missing or given twice, ``ValueError`` for a
        file that this command does not make, and for settings out of range.
        """
        if not self.makes:
            return self.make(arguments, *settings_of(arguments, self.sections))
        root, cell = split_cell_path(arguments.cell.as_posix())
        kind = cell.model if isinstance(cell, TrainingCell) else cell
        if not isinstance(kind, self.makes):
            makers = [name for name, other in COMMANDS.items() if isinstance(kind, other.makes)]
            raise ValueError(
                f"{arguments.cell} is a {type(kind).__name__}; use rst {' or '.join(makers)}"
            )
        settings = settings_of(arguments, self.sections, named(cell))
        kept = getattr(settings[-1], "selections", None)
        if kept and cell.selection not in kept:
            raise ValueError(
                f"{arguments.cell} is of {cell.selection}; selections are {', '.join(kept)}"
            )
        place = _Place(arguments, Path(root), read_manifest(arguments.data), cell)
        return self.make(place, *settings)


def _data(arguments: Namespace, dataset: DatasetSettings) -> Job:
    name = arguments.name or arguments.manifest.stem
    check_name("dataset", name)

    def run() -> int:
        from rst_core.job.cells import make_data_manifest

        make_data_manifest(arguments.manifest, name, dataset, arguments.download)
        return 0

    return run


def _verify(arguments: Namespace) -> Job:
    def run() -> int:
        from rst_core.job.verify import verify

        return verify(arguments.folder)

    return run


def _train(
    at: _Place, network: NetworkSettings, training: TrainingSettings, more: _Training
) -> Job:
    kept, model = more.selections, at.cell.model
    return TrainingRecipe(at.root, at.data, model, network, training, kept, more.base)


def _import(at: _Place, network: NetworkSettings, more: _Import) -> Job:
    model, kept = at.cell.model, more.selections
    if isinstance(model, Ticket) and model.dense:
        raise ValueError(
            f"{at.arguments.cell} is made from another model; allowed are dense and RST"
        )
    return ImportRecipe(at.root, at.data, model, network, at.arguments.file, more.layout, kept)


def _attack(at: _Place, spec: AttackSpec, more: _Attack) -> Job:
    judges = []
    for path in getattr(at.arguments, "targets", ()):
        root, target = split_cell_path(path.as_posix())
        if Path(root) != at.root:
            raise ValueError(f"{path} is outside {at.root}, where the cell is")
        if not isinstance(target, TrainingCell):
            raise ValueError(f"{path} is a {type(target).__name__}; allowed is a model file")
        judges.append(target)
    return AttackRecipe(at.root, at.data, at.cell, spec, more.batch_size, judges)


def _features(at: _Place, network: NetworkSettings, more: _Features) -> Job:
    return FeaturesRecipe(at.root, at.data, at.cell, network, more.eps_grid)


def _add(*words: str, **options: Any) -> Callable[[ArgumentParser], object]:
    return lambda command: command.add_argument(*words, **options)


def _add_data(command: ArgumentParser) -> None:
    command.add_argument("manifest", type=Path, help="JSON file to write")
    command.add_argument(
        "--name", help="what cells call the dataset (default: the name of the manifest's file)"
    )
    command.add_argument("--download", action="store_true", help="fetch what is missing")


_TRAINING = {"network": NetworkSettings, "training": TrainingSettings, "": _Training}
_ATTACK = {"attack": AttackSpec, "": _Attack}
COMMANDS = {
    "data": Command(
        "load (and fetch) a dataset, and write what was found",
        _data, {"dataset": DatasetSettings}, add=_add_data,
    ),
    "train": Command(
        "train a dense network, naturally or adversarially",
        _train, _TRAINING, (Dense,), "dense-natural/best_val/weights.pt",
    ),
    "search": Command(
        "search a ticket: an RST or an RTT",
        _train, _TRAINING, (Ticket,), f"{_TICKET}/ticket.pt",
    ),
    "finetune": Command(
        "fine-tune a ticket under its fixed mask",
        _train, _TRAINING, (FineTuned,), f"finetuned_inherited_{_TICKET}/weights.pt",
    ),
    "import": Command(
        "make the model file of somebody else's checkpoint",
        _import, {"network": NetworkSettings, "": _Import}, (Dense, Ticket), f"{_TICKET}/ticket.pt",
        _add("--file", type=Path, required=True, help="the foreign checkpoint"),
    ),
    "attack": Command(
        "attack one model, or a candidate set adaptively",
        _attack, _ATTACK, (Evaluation,), f"{_TICKET}/pgd20-eps8.json",
    ),
    "transfer": Command(
        "attack one model and evaluate others on the same images",
        _attack, _ATTACK, (TransferRow,), f"{_TICKET}/transfer_to_tickets-pgd20-eps8.json",
        _add("--targets", nargs="+", type=Path, required=True, help="model files to evaluate"),
    ),
    "features": Command(
        "measure how far noise moves a network's features",
        _features, {"network": NetworkSettings, "": _Features}, (FeatureDistance,),
        "dense-natural/best_val/feature_distance.json",
    ),
    "verify": Command(
        "check every file below a results folder, and list what is wrong", _verify,
        add=_add(
            "folder", type=Path, nargs="?", default=Path("results"), help="default: %(default)s"
        ),
    ),
}  # fmt: skip


def parser(description: str | None) -> ArgumentParser:
    """The whole command line."""
    top = ArgumentParser(prog="rst", description=description, epilog=_UNITS)
    top.add_argument("--version", action="version", version=f"rst_core {rst_core.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        own = commands.add_parser(
            name, help=command.help, description=command.help, epilog=_UNITS, allow_abbrev=False
        )
        if command.makes:
            own.add_argument(
                "cell", type=Path, help=f"file to make, such as {_EXAMPLE}/{command.example}"
            )
            own.add_argument(
                "--data", type=Path, required=True, help="the dataset's manifest, by 'rst data'"
            )
            _add_job_arguments(own)
        command.add(own)
        if command.sections:
            own.add_argument(
                "--settings",
                metavar="JSON",
                help="all settings as one JSON document, or @ and its file, in place of flags",
            )
        for section, settings in command.sections.items():
            add_flags(own, settings, section or "cell")
    return top


def _add_job_arguments(command: ArgumentParser) -> None:
    """How the job runs: none of these changes the result, but by rounding."""
    job = command.add_argument_group("job")
    job.add_argument("--threads", type=_whole(1), metavar="N", help="CPU threads to use")
    job.add_argument(
        "--processes", type=_whole(1), default=1, metavar="N",
        help="processes that share the cell, one a GPU (default: %(default)s)",
    )  # fmt: skip
    job.add_argument(
        "--workers", type=_whole(0), default=4, metavar="N",
        help="processes (beside each GPU's own) that decode images of a streamed_folder; "
        "0 decodes without any; changes no result (default: %(default)s)",
    )  # fmt: skip
    job.add_argument(
        "--device", choices=["auto", "cuda", "cpu"],
        help="where to compute; cuda fails where there is no GPU (default: RST_DEVICE, or auto)",
    )  # fmt: skip


def _whole(low: int) -> Callable[[str], int]:
    """The type of a flag that is a whole number from ``low``."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise ArgumentTypeError(f"is {text}; allowed is a whole number from {low}")
        return int(text)

    return read
