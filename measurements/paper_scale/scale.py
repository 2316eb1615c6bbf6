"""What is run, and in which order: the paper's settings, and a toy's of the same shape.

The settings repeat those of config.yaml and measurements/cifar10_jpeg.yaml, which need
packages that the lent machine lacks; a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rst_core.settings import AttackSpec, DatasetSettings, NetworkSettings, TrainingSettings
from rst_core.spec import (
    Adversary,
    CandidateSet,
    Dense,
    Evaluation,
    Network,
    Ticket,
    Trained,
    TransferRow,
)
from rst_core.vocabulary import (
    Architecture,
    AttackMethod,
    Init,
    Norm,
    Origin,
    Pattern,
    Precision,
    SearchMethod,
    Selection,
    Source,
)

Measured = Evaluation | TransferRow
PGD7 = Adversary(SearchMethod.PGD7, 8.0)
SEED = 0
#: Of the tickets of stages 2 and 3 [issue: R2S over these], and of the RTTs of stage 4.
CANDIDATES, RTT_KEEP_RATIO = (0.05, 0.1, 0.2), 0.1


@dataclass(frozen=True)
class Scale:
    """One size of the whole run.

    Attributes:
        name: of its folder.
        dataset: where its packed images are is a matter of the run.
        dataset_name: in cells' paths.
        network: architecture and width.
        network_name: in cells' paths.
        training: settings but for the length of the schedule, of which these are the longest.
        attack_batch_size: images at a time in attacks.
        auto_attack_images: how many Auto-Attack sees.
        timed: architectures whose steps are timed in stage 1, by name.
        images_a_class: how many are unpacked of every class and split; None is all.
    """

    name: str
    dataset: DatasetSettings
    dataset_name: str
    network: NetworkSettings
    network_name: str
    training: TrainingSettings
    attack_batch_size: int
    auto_attack_images: int
    timed: tuple[tuple[str, NetworkSettings], ...]
    images_a_class: int | None = None

    def at(self, packed: Path) -> Scale:
        """The same with its images in a file."""
        return replace(self, dataset=replace(self.dataset, path=str(packed)))

    @property
    def identity(self) -> Network:
        """The network that everything is about."""
        init = Init.SIGNED_KAIMING_CONSTANT
        return Network(self.dataset_name, self.network_name, init, SEED)

    def dense(self, adversary: Adversary | None) -> Dense:
        """The naturally (None) or adversarially trained dense."""
        return Dense(self.identity, adversary)

    def ticket(self, keep_ratio: float, origin: Origin = Origin.RST) -> Ticket:
        """An RST, or an RTT of another origin."""
        return Ticket(self.identity, origin, keep_ratio, Pattern.ELEMENT, PGD7)

    def wanted(self) -> Iterator[tuple[int, Measured]]:
        """Stage and cell of everything that is measured, in order of worth.

        Models have no entry of their own: a cell that needs one has it made.
        """
        both = (Selection.BEST_VAL, Selection.LAST)
        for model in (self.dense(PGD7), self.ticket(0.2)):
            for selection in both:
                yield 2, Evaluation(model, selection, "pgd20", 8.0)
        best = Selection.BEST_VAL
        for keep_ratio in (0.05, 0.1):
            for selection in both:
                yield 3, Evaluation(self.ticket(keep_ratio), selection, "pgd20", 8.0)
        for keep_ratio in CANDIDATES:
            yield 3, TransferRow(self.ticket(keep_ratio), best, "tickets", "pgd20", 8.0)
        members = CandidateSet(self.identity, Origin.RST, CANDIDATES, Pattern.ELEMENT, PGD7)
        for attack in ("eot_pgd20", "ensemble_pgd20"):
            yield 3, Evaluation(members, best, attack, 8.0)
        for model in (self.dense(PGD7), self.ticket(0.2)):
            yield 3, Evaluation(model, best, "auto_attack", 8.0)
        # The weakest images that still fool a source transfer poorly; see docs/decisions.md.
        for keep_ratio in CANDIDATES:
            yield 3, TransferRow(self.ticket(keep_ratio), best, "tickets", "pgd20_full", 8.0)
        for origin in (Origin.RTT_NATURAL, Origin.RTT_ADVERSARIAL):
            ticket = self.ticket(RTT_KEEP_RATIO, origin)
            for selection in both:
                yield 4, Evaluation(ticket, selection, "pgd20", 8.0)
        yield 4, Evaluation(self.dense(None), best, "pgd20", 8.0)

    def attack(self, name: str) -> AttackSpec:
        """The attack that cells name so, at eps 8."""
        if name == "auto_attack":
            method, images = AttackMethod.AUTO_ATTACK, self.auto_attack_images
            return AttackSpec(name=name, method=method, norm=Norm.LINF, eps=8.0, images=images)
        method = AttackMethod(name.split("_")[0]) if name.endswith("_pgd20") else AttackMethod.PGD
        return AttackSpec(
            name=name,
            method=method,
            norm=Norm.LINF,
            eps=8.0,
            steps=20,
            step_size=2.0,
            random_start=True,
            stop_at_success=name == "pgd20",
            seed=SEED,
        )

    def models(self, cell: Measured) -> list[tuple[Trained, Selection]]:
        """The models that a cell loads, sources first; a transfer row's targets are all RSTs."""
        source = cell.model
        if isinstance(source, CandidateSet):
            return [(ticket, cell.selection) for ticket in source.tickets]
        if isinstance(cell, Evaluation):
            return [(source, cell.selection)]
        others = [self.ticket(keep_ratio) for keep_ratio in CANDIDATES]
        return [(model, cell.selection) for model in dict.fromkeys([source, *others])]


PAPER = Scale(
    name="paper",
    dataset=DatasetSettings(
        source=Source.PACKED,
        classes=10,
        image_size=32,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2471, 0.2435, 0.2616),
        crop_padding=4,
        flip=True,
        validation_images=1000,
        validation_seed=0,
    ),
    dataset_name="cifar10_jpeg",
    network=NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=1.0),
    network_name="resnet18",
    training=TrainingSettings(precision=Precision.BFLOAT16),
    attack_batch_size=500,
    auto_attack_images=1000,
    timed=(
        ("ResNet18", NetworkSettings(architecture=Architecture.PREACT_RESNET18)),
        ("WideResNet32", NetworkSettings(architecture=Architecture.WIDE_RESNET34)),
    ),
)

_TOY_NETWORK = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=1 / 16)
TOY = replace(
    PAPER,
    name="toy",
    dataset=replace(PAPER.dataset, validation_images=50),
    dataset_name="cifar10_jpeg_toy",
    network=_TOY_NETWORK,
    network_name="resnet18_toy",
    training=replace(
        PAPER.training, epochs=8, decay_epochs=(4, 6), batch_size=32, validation_steps=2
    ),
    attack_batch_size=50,
    auto_attack_images=20,
    timed=(("ResNet18 (width 1/16)", _TOY_NETWORK),),
    images_a_class=30,
)

SCALES = {scale.name: scale for scale in (PAPER, TOY)}
