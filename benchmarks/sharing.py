"""What it brings to make several cells in one process, and to search tickets side by side.

Start-up is compared in CPU seconds of whole processes, as the fixed cost is; searches by the
wall time of the same steps on the same images.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import functional as F

from benchmarks import steps
from benchmarks.ratios import Ratio, quotients, take_turns
from benchmarks.resources import NETWORK, cpu_seconds, output
from benchmarks.victim import DIGITS, pgd20
from rst_core.attacks.budget import project
from rst_core.data import Images, load_splits
from rst_core.flags import to_flags
from rst_core.networks import Classifier
from rst_core.settings import AttackSpec, NetworkSettings, training_attack
from rst_core.spec import Adversary, Ticket
from rst_core.tickets import Head, save_model
from rst_core.trainee import MaskTrainee
from rst_core.vocabulary import Architecture, Origin, Pattern, SearchMethod, Selection

KEEP_RATIOS = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


def processes(rounds: int, images: int = 100) -> list[Ratio]:
    """Four attacks on a model, and the rows of a matrix of 8: in one process, or one each."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        targets = [_save_ticket(root, keep_ratio) for keep_ratio in KEEP_RATIOS]
        data = root / "digits.json"
        output([sys.executable, "-m", "rst_core", "data", str(data), *to_flags(DIGITS)])
        attacks = [
            _command("attack", targets[0].parent / f"pgd20-eps{eps:g}.json", data, eps, images)
            for eps in (2, 4, 8, 12)
        ]
        rows = [
            [
                *_command("transfer", t.parent / "transfer_to_tickets-pgd20-eps8.json", data, 8,
                          images),
                "--targets", *map(str, targets),
            ]
            for t in targets
        ]  # fmt: skip
        return [
            _one_against_each("4 attacks on a model", attacks, root, rounds),
            _one_against_each("8 rows of a transfer matrix", rows, root, rounds),
        ]


def _save_ticket(root: Path, keep_ratio: float) -> Path:
    adversary = Adversary(SearchMethod.PGD7, 8.0)
    ticket = Ticket(NETWORK, Origin.RST, keep_ratio, Pattern.ELEMENT, adversary)
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=0.125)
    model = steps.network(settings.architecture, settings.width, torch.device("cpu"))
    contents = MaskTrainee(model, keep_ratio, Pattern.ELEMENT, seed=0).contents()
    path = root / "results" / "cells" / ticket.path / Selection.BEST_VAL / "ticket.pt"
    save_model(path, ticket, settings, Head.of(DIGITS), contents, {})
    return path


def _command(name: str, cell: Path, data: Path, eps: float, images: int) -> list[str]:
    spec = replace(pgd20(eps), images=images)
    return [name, str(cell), "--data", str(data), *to_flags(spec)]


def _one_against_each(what: str, commands: Sequence[list[str]], folder: Path, rounds: int) -> Ratio:
    """CPU seconds of a process for each command over those of one for all."""
    file = folder / "commands.txt"
    file.write_text("\n".join(" ".join(words) for words in commands))
    rst = [sys.executable, "-m", "rst_core"]
    each, one = [], []
    for _ in range(rounds):
        each.append(sum(cpu_seconds([*rst, *words]) for words in commands))
        one.append(cpu_seconds([*rst, "batch", str(file)]))
    remark = f"{each[0]:.1f} and {one[0]:.1f} CPU seconds; times cheaper in one process"
    values = quotients(each, one)
    return Ratio(what, "a process each", values, "at least", None, remark)


def side_by_side(rounds: int, tickets: int = 4, count: int = 256) -> list[Ratio]:
    """Searches of one small network: each its own pass over the images, or all on each batch."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    splits = load_splits(DIGITS).to(device)
    assert isinstance(splits.train, Images)
    images = splits.train.first(count)
    attack = training_attack(SearchMethod.PGD7, 8.0)

    def batches() -> list[tuple[Tensor, Tensor]]:
        return list(images.training_batches(DIGITS, 64, 0, 0))

    own = [steps.ours(model, keep_ratio) for model, keep_ratio in _networks(tickets, device)]
    trainees = [
        MaskTrainee(model, keep_ratio, Pattern.ELEMENT, seed=0)
        for model, keep_ratio in _networks(tickets, device)
    ]
    stacked = stack(trainees, attack)

    def one_after_another() -> None:
        for run in own:
            for x, labels in batches():
                run(x, labels)

    def shared_images() -> None:
        for x, labels in batches():
            for run in own:
                run(x, labels)

    def stacked_weights() -> None:
        for x, labels in batches():
            stacked(x, labels)

    times = take_turns(
        {"alone": one_after_another, "images": shared_images, "weights": stacked_weights}, rounds
    )
    what, against = f"search of {tickets} narrow tickets at once", "one after another"
    remark = f"width 1/8, batch 64, on {device.type}; times faster"
    return [
        Ratio(f"{what}: {how}", against, quotients(times["alone"], times[name]), "at least", None,
              remark)
        for name, how in (("images", "shared batches"), ("weights", "weights stacked by vmap"))
    ]  # fmt: skip


def _networks(count: int, device: torch.device) -> list[tuple[Classifier, float]]:
    def network() -> Classifier:
        return steps.network(Architecture.PREACT_RESNET18, 0.125, device)

    return [(network(), keep_ratio) for keep_ratio in KEEP_RATIOS[:count]]


def stack(trainees: Sequence[MaskTrainee], attack: AttackSpec) -> steps.Step:
    """One optimiser step of several searches on the same images, their weights stacked."""
    model = trainees[0].model.train()
    buffers = [dict(t.model.named_buffers()) for t in trainees]
    stacked = {name: torch.stack([b[name] for b in buffers]) for name in buffers[0]}
    optimiser = torch.optim.SGD(
        [v for t in trainees for v in t.variables.values()],
        lr=1e-12, momentum=0.9, weight_decay=5e-4,
    )  # fmt: skip

    def losses(weights: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        """Images K x N x 3 x H x W and weights K x ... to mean losses, K."""
        logits = stacked_logits(model, weights, stacked, images)
        each = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(trainees)), reduction="none")
        return each.view(len(trainees), -1).mean(1)

    def run(images: Tensor, labels: Tensor) -> None:
        of_each = [t.weights() for t in trainees]
        weights = {name: torch.stack([w[name] for w in of_each]) for name in of_each[0]}
        fixed = {name: weight.detach() for name, weight in weights.items()}
        clean = images.expand(len(trainees), *images.shape)
        noise = torch.empty_like(clean).uniform_(-steps.EPS, steps.EPS)
        current = (clean + noise).clamp(0, 1)
        for _ in range(attack.steps or 1):
            current = current.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(losses(fixed, current, labels).sum(), current)
            moved = current.detach() + steps.STEP_SIZE * gradient.sign()
            current = project(moved, clean, attack)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(losses(weights, current.detach(), labels).sum())
        optimiser.step()

    return run


def stacked_logits(
    model: torch.nn.Module, weights: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor
) -> Tensor:
    """Logits K x N x classes of K networks whose weights and buffers are stacked."""

    def one(weights: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor) -> Tensor:
        logits: Tensor = functional_call(model, (weights, buffers), (images,))
        return logits

    logits: Tensor = vmap(one)(weights, buffers, images)
    return logits


def sharing(rounds: int) -> list[Ratio]:
    """All comparisons."""
    return [*processes(rounds), *side_by_side(rounds)]
