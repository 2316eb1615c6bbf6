"""Making the cells of a recipe: one file, or one a selection."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from rst_core.attacks.gradient import LogitFunction
from rst_core.curves import METRICS
from rst_core.data.images import Splits
from rst_core.data.manifest import SPLITS, Manifest, write_manifest
from rst_core.data.source_files import fingerprint
from rst_core.data.sources import load_splits
from rst_core.device.distributed import default_device, share
from rst_core.divergence import DivergedError
from rst_core.identity import CandidateSet, Model, Ticket, Trained, Untrained
from rst_core.job.checkpoint import INTERVAL, Checkpoint
from rst_core.job.curve import GrowingCurve
from rst_core.job.log import log
from rst_core.job.paths import checkpoint_path
from rst_core.job.preemption import Preemption
from rst_core.job.recipe import AttackRecipe, FeaturesRecipe, ImportRecipe, Recipe, TrainingRecipe
from rst_core.job.records import Provenance
from rst_core.key import sources_of
from rst_core.measures.evaluation import attack_and_evaluate, natural_outcomes
from rst_core.measures.features import estimate_batch_norm, feature_distances
from rst_core.measures.suspicion import measure_checks
from rst_core.models.files import (
    Head,
    load_trained,
    save_model,
    set_frozen_weights,
    set_starting_weights,
)
from rst_core.models.foreign import read_foreign
from rst_core.models.networks import (
    Classifier,
    build_classifier,
    draw_weights,
    parameter_count,
    to_device,
)
from rst_core.models.r2s import adversary_view
from rst_core.records import cell_record, pack_counts, pack_outcomes
from rst_core.settings import DatasetSettings, training_attack
from rst_core.storage import checksum, write_json
from rst_core.training.loop import Run, train
from rst_core.training.trainee import MaskTrainee, Trainee, WeightTrainee
from rst_core.vocabulary import Selection, Source

#: Seconds between two checkpoints of an attack: short ones write none.
ATTACK_INTERVAL = 60.0


def make(recipe: Recipe, *, workers: int = 0, preemption: Preemption | None = None) -> None:
    """Make the cells of a recipe, and write their files.

    ``workers`` processes decode streamed images; ``preemption`` says when to leave, by default
    never.

    Raises:
        Preempted: if the job must leave first; what is done is in the checkpoint.
        DivergedError: if a number of it is not finite.
        FileNotFoundError: if a model or a foreign checkpoint is missing.
        ValueError: if images, models or a foreign checkpoint are not what the recipe says.
    """
    job = _Job(workers, preemption or Preemption())
    match recipe:
        case TrainingRecipe():
            _train(job, recipe)
        case ImportRecipe():
            _import(job, recipe)
        case AttackRecipe():
            _attack(job, recipe)
        case FeaturesRecipe():
            _measure_features(job, recipe)
        case _:
            raise AssertionError(recipe)


@dataclass(frozen=True)
class _Job:
    """How a recipe is made, and since when."""

    workers: int
    preemption: Preemption
    work: Provenance = field(default_factory=Provenance)


def _train(job: _Job, recipe: TrainingRecipe) -> None:
    """Search a ticket, train a dense or fine-tune a ticket."""
    model, device = recipe.model, default_device()
    adversary = model.adversary
    run = Run(
        identity=model.path,
        attack=training_attack(adversary.method, adversary.eps) if adversary else None,
        settings=recipe.training,
        dataset=recipe.data.settings,
        selections=tuple(recipe.selections),
        seed=model.network.seed,
    )
    checkpoint = _checkpoint(job, recipe)
    curve = GrowingCurve(checkpoint.path, model.path)
    checkpoint.follow = curve.follow
    trainee = make_trainee(recipe, device)
    job.work.watch(trainee.model, trained=True)
    with job.preemption.deferred():
        kept = train(trainee, _splits(job, recipe).to(device), run, checkpoint)
    if not share().writes:
        return
    job.preemption.check()
    # Before the models, which name it: a job that is killed in between makes them again.
    made_with = {"curve": curve.move(recipe.root / model.path / METRICS)}
    _write_models(recipe, kept, job.work.finish(checkpoint.continued) | made_with)
    checkpoint.remove()


def _write_models(
    recipe: TrainingRecipe | ImportRecipe,
    contents: Mapping[Selection, dict[str, Any]],
    provenance: dict[str, Any],
) -> None:
    head = Head.of(recipe.data.settings)
    for cell, path in zip(recipe.cells, recipe.outputs, strict=True):
        save_model(
            path, recipe.model, recipe.network, head, contents[cell.selection], provenance,
            selection=cell.selection, inputs=recipe.inputs,
        )  # fmt: skip
        log.info("wrote %s", path)


def _checkpoint(job: _Job, recipe: Recipe, interval: float = INTERVAL) -> Checkpoint:
    """The checkpoint of a recipe's cells; that of any other recipe is not continued."""
    key = checksum([recipe.record_fields(cell) for cell in recipe.cells])
    cell = recipe.cells[0]
    path = checkpoint_path(recipe.root, cell)
    return Checkpoint(
        cell.model.path, path, key, job.preemption, interval, precisions=job.work.precisions
    )


def make_trainee(recipe: TrainingRecipe, device: torch.device) -> Trainee:
    """The trainee of a model, with its starting or frozen weights in place, on ``device``."""
    model, precision = recipe.model, recipe.training.precision
    classifier = _classifier(recipe)
    bases: dict[Model, Path] = {base.model: recipe.root / base.path for base in recipe.bases}
    if isinstance(model, Ticket):
        set_frozen_weights(classifier, model, bases[model.dense] if model.dense else None)
        to_device(classifier, device, precision)
        return MaskTrainee.of(classifier, model)
    masks = set_starting_weights(classifier, model, bases)
    return WeightTrainee(to_device(classifier, device, precision), masks)


def _classifier(recipe: TrainingRecipe | ImportRecipe | FeaturesRecipe) -> Classifier:
    """The network, its weights still to be drawn or loaded."""
    data = recipe.data.settings
    return build_classifier(recipe.network, data.classes, data.mean, data.std)


def _import(job: _Job, recipe: ImportRecipe) -> None:
    """Write a foreign checkpoint as our model file, the same for every selection."""
    contents = read_foreign(
        recipe.file, recipe.layout, recipe.model, recipe.network.architecture, _classifier(recipe)
    )
    if share().writes:
        provenance = job.work.finish() | {"foreign": recipe.file.name}
        _write_models(recipe, dict.fromkeys(recipe.selections, contents), provenance)


def _attack(job: _Job, recipe: AttackRecipe) -> None:
    """Attack one model, or all members of a candidate set at once.

    The images are made once, and evaluated on what they were made on, or on a row's targets [6.1].
    """
    spec, root, cell = recipe.attack, recipe.root, recipe.cell
    members = {model.path: _load(job, root, model, cell.selection) for model in sources_of(cell)}
    source: LogitFunction
    if isinstance(cell.model, CandidateSet):
        source = adversary_view(list(members.values()), spec.method)
    else:
        source = members[cell.model.path]
    test = _splits(job, recipe).test.to(default_device())
    images = test.first(spec.images)
    for name, member in members.items():
        first = images.first(images.at_once(recipe.batch_size))
        natural_outcomes(member, first, name=name)  # before any attack on NaN
    if recipe.targets:
        members = {t.model.path: _load(job, root, t.model, t.selection) for t in recipe.targets}
    checkpoint = _checkpoint(job, recipe, ATTACK_INTERVAL)
    with job.preemption.deferred():
        found = attack_and_evaluate(
            source, members, images, spec, batch_size=recipe.batch_size, checkpoints=checkpoint
        )
    results = [
        {
            "model": name,
            "natural": pack_outcomes(natural_outcomes(target, images, name=name).numpy()),
            "robust": pack_outcomes(found.outcomes[name].numpy()),
            "parameters": parameter_count(target),
            # What is left under a mask.
            "parameters_kept": sum(int(p.count_nonzero()) for p in target.parameters()),
        }
        for name, target in members.items()
    ]
    if not share().writes:
        return
    more: dict[str, Any] = {"checks": asdict(measure_checks(source, images, spec.seed))}
    if found.queries is not None:
        more["queries"] = pack_counts(found.queries.numpy())
    counts = {"attacked": len(images), "test_set": len(test)}
    _write(job, recipe, counts, results, checkpoint.continued, **more)
    checkpoint.remove()


def _load(job: _Job, root: Path, model: Trained, selection: Selection) -> Classifier:
    """A trained model on the device, to be measured."""
    return job.work.watch(to_device(load_trained(root, model, selection), default_device()))


def _measure_features(job: _Job, recipe: FeaturesRecipe) -> None:
    """Measure feature distances of a dense, or of the untrained network.

    The untrained network's batch norms get their statistics from one pass over the training images.
    """
    device, cell = default_device(), recipe.cell
    splits = _splits(job, recipe).to(device)
    if isinstance(cell.model, Untrained):
        model = _classifier(recipe)
        draw_weights(model, cell.model.network.init, cell.model.network.seed)
        model = job.work.watch(to_device(model.requires_grad_(False), device))
        estimate_batch_norm(model, splits.train)
    else:
        assert cell.selection is not None
        model = _load(job, recipe.root, cell.model, cell.selection)
    distances = feature_distances(model, splits.test, recipe.eps_grid, cell.model.network.seed)
    results = [
        {"eps": eps, "mean": float(d.mean()), "deviation": float(d.std()), "total": len(d)}
        for eps, d in distances.items()
    ]
    if not all(math.isfinite(result["mean"]) for result in results):
        raise DivergedError(f"{cell.model.path} has features that are not finite")
    if share().writes:
        counts = {"attacked": len(splits.test), "test_set": len(splits.test)}
        _write(job, recipe, counts, results)


def make_data_manifest(path: Path, name: str, dataset: DatasetSettings, download: bool) -> None:
    """Load a dataset once, fetching it if asked, and write its settings and what was found.

    Every other command reads the dataset's settings from this file.
    """
    # Before they are read: files that change meanwhile are read again by the next plan.
    files = fingerprint(dataset)
    splits = load_splits(dataset, download=download)
    files = fingerprint(dataset) if download else files
    write_manifest(path, manifest_of(name, dataset, splits, files))
    log.info("wrote %s", path)


def manifest_of(name: str, dataset: DatasetSettings, splits: Splits, files: str) -> Manifest:
    """The manifest of images that were read from files of a fingerprint."""
    each = {split: getattr(splits, split) for split in SPLITS}
    return Manifest(
        name=name,
        settings=dataset,
        digest=splits.digest(),
        files=files,
        images={split: len(images) for split, images in each.items()},
        images_a_class={
            split: tuple(torch.bincount(images.labels, minlength=dataset.classes).tolist())
            for split, images in each.items()
        },
    )


def _splits(job: _Job, recipe: Recipe) -> Splits:
    """The images of the recipe's manifest; ``ValueError`` if they are no longer those."""
    data = recipe.data
    splits = load_splits(data.settings, workers=job.workers)
    # Streamed images are too many to be read for this.
    if data.settings.source is not Source.STREAMED_FOLDER and splits.digest() != data.digest:
        raise ValueError(
            f"the images of {data.settings.description} are not those of {data.name}'s manifest; "
            "make the manifest again ('rst data'), and with it what was made of it"
        )
    return splits


def _write(
    job: _Job,
    recipe: AttackRecipe | FeaturesRecipe,
    images: dict[str, int],
    results: Sequence[dict[str, Any]],
    continued: Sequence[str] = (),
    **more: Any,
) -> None:
    job.preemption.check()
    path, provenance = recipe.outputs[0], job.work.finish(continued)
    write_json(path, cell_record(recipe.cell, recipe.inputs, images, results, provenance, **more))
    log.info("wrote %s", path)
