"""The commands of ``rst``: arguments, settings, and what each makes. Loads torch only to run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rst_core
from rst_core.data.manifest import read_manifest
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
from rst_core.job.flags import add_settings, number, settings_of
from rst_core.job.recipe import (
    AttackRecipe,
    FeaturesRecipe,
    ImportRecipe,
    Recipe,
    TrainingRecipe,
)
from rst_core.key import named
from rst_core.ranges import Range
from rst_core.settings import DatasetSettings
from rst_core.vocabulary import Device

_EXAMPLE = "results/cells/cifar10/resnet18/signed_kaiming_constant-seed0"
_TICKET = "rst-keep0.2-element-pgd7-eps8/best_val"
_UNITS = (
    "Units: L-infinity eps and steps are in 1/255 of the pixel range (8 means 8/255), L2 sizes "
    "are on images in [0, 1], keep ratios are fractions, accuracies in logs are percentages."
)
_DATASET = {"dataset": DatasetSettings}


@dataclass(frozen=True)
class Command:
    """A command of ``rst``.

    Attributes:
        help: what it does.
        do: what it does if it makes no cell; returns the exit status.
        recipe: of the cells that it makes; most make models.
        makes: kinds of cells or models.
        example: a file that it makes.
        add: adds its own arguments.
        more: fields of the recipe by these and the folder of all cells.
    """

    help: str
    do: Callable[[Namespace], int] | None = None
    recipe: type[Recipe] = TrainingRecipe
    makes: tuple[type, ...] = ()
    example: str = ""
    add: Callable[[ArgumentParser], object] = lambda parser: None
    more: Callable[[Namespace, Path], Mapping[str, Any]] = lambda arguments, root: {}

    def job(self, arguments: Namespace) -> Recipe:
        """What the parsed arguments ask for.

        Raises ``UsageError`` for settings that are missing or given twice, ``ValueError`` for a
        file that this command does not make, and for settings out of range.
        """
        root, cell = split_cell_path(arguments.cell.as_posix())
        kind = cell.model if isinstance(cell, TrainingCell) else cell
        if not isinstance(kind, self.makes):
            makers = [name for name, other in COMMANDS.items() if isinstance(kind, other.makes)]
            raise ValueError(
                f"{arguments.cell} names a cell of kind {type(kind).__name__}; use rst "
                f"{' or '.join(makers)}"
            )
        settings = settings_of(arguments, self.recipe.sections(), named(cell))
        kept = settings.get("selections", [cell.selection])
        if cell.selection not in kept:
            raise ValueError(
                f"{arguments.cell} has selection {cell.selection}; --selections has "
                f"{', '.join(kept)}"
            )
        settings |= {"model": kind} if isinstance(cell, TrainingCell) else {"cell": cell}
        settings |= self.more(arguments, Path(root))
        return self.recipe(Path(root), read_manifest(arguments.data), **settings)


def _data(arguments: Namespace) -> int:
    from rst_core.job.cells import make_data_manifest

    name = arguments.name or arguments.manifest.stem
    check_name("dataset", name)
    dataset = settings_of(arguments, _DATASET)["dataset"]
    make_data_manifest(arguments.manifest, name, dataset, arguments.download)
    return 0


def _verify(arguments: Namespace) -> int:
    from rst_core.job.verify import verify

    return verify(arguments.folder)


def _targets(arguments: Namespace, root: Path) -> dict[str, list[TrainingCell]]:
    targets = []
    for path in arguments.targets:
        above, target = split_cell_path(path.as_posix())
        if Path(above) != root:
            raise ValueError(f"{path} is outside {root}, where the cell is")
        if not isinstance(target, TrainingCell):
            raise ValueError(f"{path} is a {type(target).__name__}; allowed is a model file")
        targets.append(target)
    return {"targets": targets}


def _add(*words: str, **options: Any) -> Callable[[ArgumentParser], object]:
    return lambda command: command.add_argument(*words, **options)


def _add_data(command: ArgumentParser) -> None:
    command.add_argument("manifest", type=Path, help="JSON file to write")
    command.add_argument(
        "--name", help="name of the dataset in cell paths (default: the manifest's file name)"
    )
    command.add_argument("--download", action="store_true", help="download what is missing")
    add_settings(command, _DATASET)


COMMANDS = {
    "data": Command("load (and download) a dataset and write its manifest", _data, add=_add_data),
    "train": Command(
        "train a dense network, naturally or adversarially",
        makes=(Dense,), example="dense-natural/best_val/weights.pt",
    ),
    "search": Command(
        "search a ticket: an RST or an RTT",
        makes=(Ticket,), example=f"{_TICKET}/ticket.pt",
    ),
    "finetune": Command(
        "fine-tune a ticket under its fixed mask",
        makes=(FineTuned,), example=f"finetuned_inherited_{_TICKET}/weights.pt",
    ),
    "import": Command(
        "import a checkpoint that was trained elsewhere", recipe=ImportRecipe,
        makes=(Dense, Ticket), example=f"{_TICKET}/ticket.pt",
        add=_add("--file", type=Path, required=True, help="the foreign checkpoint"),
        more=lambda arguments, root: {"file": arguments.file},
    ),
    "attack": Command(
        "attack one model, or a candidate set adaptively", recipe=AttackRecipe,
        makes=(Evaluation,), example=f"{_TICKET}/pgd20-eps8.json",
    ),
    "transfer": Command(
        "attack one model and evaluate others on the same images", recipe=AttackRecipe,
        makes=(TransferRow,), example=f"{_TICKET}/transfer_to_tickets-pgd20-eps8.json",
        add=_add("--targets", nargs="+", type=Path, required=True, help="model files to evaluate"),
        more=_targets,
    ),
    "features": Command(
        "measure how far noise moves a network's features", recipe=FeaturesRecipe,
        makes=(FeatureDistance,), example="dense-natural/best_val/feature_distance.json",
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
        if command.makes:
            add_settings(own, command.recipe.sections())
    return top


def _add_job_arguments(command: ArgumentParser) -> None:
    """How the job runs: these change results by rounding at most."""
    job, positive = command.add_argument_group("job"), number(int, Range(1))
    job.add_argument("--threads", type=positive, metavar="N", help="CPU threads to use")
    job.add_argument(
        "--processes", type=positive, default=1, metavar="N",
        help="processes that share the cell, one per GPU (default: %(default)s)",
    )  # fmt: skip
    job.add_argument(
        "--workers", type=number(int, Range(0)), default=4, metavar="N",
        help="worker processes that decode images of a streamed_folder; 0 decodes in the main "
        "process; does not change results (default: %(default)s)",
    )  # fmt: skip
    job.add_argument(
        "--device", choices=[device.value for device in Device],
        help="where to compute; cuda fails where there is no GPU (default: RST_DEVICE, or auto)",
    )  # fmt: skip
