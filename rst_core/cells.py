"""Making one cell: identity and settings in, one file (or one a selection) out."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rst_core.data import LabelledImages, Splits, load_splits
from rst_core.distributed import default_device, share
from rst_core.evaluation import Unfinished, attack_and_judge, fingerprint, natural_outcomes
from rst_core.features import feature_distances
from rst_core.files import remove_parts, write_json
from rst_core.finished import Finished, key_of
from rst_core.flags import from_flags
from rst_core.loaded import Loaded, stamp
from rst_core.networks import Classifier, build_classifier, draw_weights, parameter_count, place
from rst_core.progress import Progress, say
from rst_core.r2s import adversary_view
from rst_core.records import FORMAT, Provenance, pack_counts, pack_outcomes
from rst_core.session import Session
from rst_core.settings import (
    AttackSpec,
    DatasetSettings,
    NetworkSettings,
    TrainingSettings,
    training_attack,
)
from rst_core.spec import (
    CandidateSet,
    Cell,
    Dense,
    Evaluation,
    FeatureDistance,
    FineTuned,
    Ticket,
    Trained,
    TrainingCell,
    TransferRow,
    Untrained,
)
from rst_core.suspicion import measure_checks
from rst_core.tickets import (
    Head,
    load_trained,
    model_digest,
    model_path,
    save_model,
    set_frozen_weights,
    set_starting_weights,
)
from rst_core.trainee import MaskTrainee, Trainee, WeightTrainee
from rst_core.training import Run, train
from rst_core.vocabulary import AttackMethod, Precision, Selection


def checkpoints(root: Path) -> Path:
    """Folder of everything that is unfinished: outside every declared output."""
    return root.parent / "checkpoints"


def lease_path(root: Path, cell: Cell) -> Path:
    """Folder of a cell's lease: one for all selections of a model, which one run makes."""
    if isinstance(cell, TrainingCell):
        return checkpoint_path(root, cell.model).parent / "lease"
    return unfinished_path(root, cell) / "lease"


def checkpoint_path(root: Path, model: Trained) -> Path:
    """Where the state of an unfinished run is, by identity."""
    return checkpoints(root) / model.path / "state.pt"


def metrics_path(root: Path, model: Trained) -> Path:
    """The JSONL file beside a trained model's selections, a line an epoch."""
    return root / model.path / "metrics.jsonl"


def make_trained(
    root: Path,
    model: Trained,
    dataset: DatasetSettings,
    network: NetworkSettings,
    settings: TrainingSettings,
    *,
    selections: tuple[Selection, ...] = (Selection.BEST_VAL, Selection.LAST),
    base: Selection = Selection.BEST_VAL,
    workers: int = 0,
    session: Session | None = None,
    prepare: Callable[[Classifier], None] = lambda model: None,
) -> None:
    """Search a ticket, train a dense or fine-tune a ticket, and write its model files.

    Args:
        root: folder of all cells.
        model: what to train.
        dataset: its images.
        network: its architecture.
        settings: optimiser and schedule.
        selections: which epochs to keep.
        base: which epoch of the model it starts from, if it starts from one.
        workers: processes that decode streamed images.
        session: says when to save and when to leave; by default never to leave.
        prepare: called with the model that is to be trained, on its device; may change how it
            computes, but not what.

    Raises:
        LeftUnfinished: if the session ends first; what is done is in the checkpoint.
    """
    work, session = Provenance(), session or Session()
    device = default_device()
    adversary = model.adversary
    run = Run(
        identity=model.path,
        attack=training_attack(adversary.method, adversary.eps) if adversary else None,
        settings=settings,
        dataset=dataset,
        selections=selections,
        seed=model.network.seed,
        checkpoint=checkpoint_path(root, model),
        metrics=metrics_path(root, model),
        bases={base.path: model_digest(file) for base, file in base_files(root, model, base)},
    )
    key = key_of(json.dumps([run.key, asdict(network)], sort_keys=True))
    finished = Finished(session.keep, root)
    outputs = [model_path(root, model, selection) for selection in selections]
    if finished.found(outputs, key, session.waited):
        return
    trainee = make_trainee(root, model, dataset, network, base, device, settings.precision)
    prepare(trainee.model)
    splits = load_splits(dataset, workers=workers).to(device)
    kept = train(trainee, splits, run, session)
    if not share().writes:
        return
    session.check()
    provenance = work.finish(key, session.continued)
    provenance |= {"settings": run.key, "epochs": settings.epochs}
    for selection, path in zip(selections, outputs, strict=True):
        save_model(path, model, network, Head.of(dataset), kept[selection], provenance)
        say(f"wrote {path}")
    finished.keep(outputs)
    run.checkpoint.unlink(missing_ok=True)
    for written in (run.checkpoint, run.metrics):
        remove_parts(written)


def base_files(root: Path, model: Trained, base: Selection) -> list[tuple[Trained, Path]]:
    """The models that a model starts from, and their files."""
    bases: list[Trained] = []
    if isinstance(model, FineTuned):
        bases.append(model.ticket)
    ticket = model.ticket if isinstance(model, FineTuned) else model
    if isinstance(ticket, Ticket) and ticket.dense is not None:
        bases.append(ticket.dense)
    return [(start, model_path(root, start, base)) for start in bases]


def make_trainee(
    root: Path,
    model: Trained,
    dataset: DatasetSettings,
    network: NetworkSettings,
    base: Selection,
    device: torch.device,
    precision: Precision,
) -> Trainee:
    """The trainee of a model, with its starting or frozen weights in place, on ``device``."""
    classifier = build_classifier(network, dataset.classes, dataset.mean, dataset.std)
    if isinstance(model, Ticket):
        dense: dict[str, str] | None = None
        dense_file = None
        if model.dense is not None:
            dense_file = model_path(root, model.dense, base)
            dense = {"dense_digest": model_digest(dense_file), "dense_selection": base.value}
        set_frozen_weights(classifier, model, dense_file)
        place(classifier, device, precision)
        return MaskTrainee(classifier, model.keep_ratio, model.pattern, model.network.seed, dense)
    ticket_file = dense_file = None
    if not isinstance(model, Dense):
        ticket_file = model_path(root, model.ticket, base)
        if model.ticket.dense is not None:
            dense_file = model_path(root, model.ticket.dense, base)
    masks = set_starting_weights(classifier, model, ticket_file, dense_file)
    return WeightTrainee(place(classifier, device, precision), masks)


def make_evaluation(
    root: Path,
    cell: Evaluation,
    dataset: DatasetSettings,
    spec: AttackSpec,
    batch_size: int,
    workers: int = 0,
    session: Session | None = None,
) -> None:
    """Attack one model, or all members of a candidate set at once, and write the cell."""
    work, job = Provenance(), session or Session()
    source, members = _attacked(root, cell, spec.method, job.loaded)
    images = _test_images(dataset, workers, job.loaded).first(spec.images)
    _attack_and_write(root, cell, source, members, dataset, images, spec, batch_size, work, job)


def make_transfer_row(
    root: Path,
    cell: TransferRow,
    targets: Sequence[tuple[Trained, Selection]],
    dataset: DatasetSettings,
    spec: AttackSpec,
    batch_size: int,
    workers: int = 0,
    session: Session | None = None,
) -> None:
    """Make adversarial images on one source once and evaluate all targets on them [6.1]."""
    work, job = Provenance(), session or Session()
    source, _ = _attacked(root, cell, spec.method, job.loaded)
    judges = {model.path: _load(root, model, selection, job.loaded) for model, selection in targets}
    images = _test_images(dataset, workers, job.loaded).first(spec.images)
    _attack_and_write(root, cell, source, judges, dataset, images, spec, batch_size, work, job)


def _attacked(
    root: Path, cell: Evaluation | TransferRow, method: AttackMethod, loaded: Loaded
) -> tuple[Any, dict[str, Classifier]]:
    """What the adversary of a cell sees, and the models behind it by path.

    Raises:
        ValueError: if the method does not attack what the cell names.
    """
    if isinstance(cell.model, CandidateSet):
        members = {
            ticket.path: _load(root, ticket, cell.selection, loaded)
            for ticket in cell.model.tickets
        }
        return adversary_view(list(members.values()), method), members
    if method.on_sets:
        raise ValueError(f"{method} attacks a candidate set, not {cell.model.path}")
    source = _load(root, cell.model, cell.selection, loaded)
    return source, {cell.model.path: source}


def _load(root: Path, model: Trained, selection: Selection, loaded: Loaded) -> Classifier:
    """A trained model on the device; nobody changes it, so cells may share it."""
    files = [model_path(root, model, selection)]
    if isinstance(model, Ticket) and model.dense is not None:
        files += [model_path(root, model.dense, s) for s in Selection]
    key = ("model", model.path, *(stamp(file) for file in files if file.exists()))
    return loaded.get(key, lambda: place(load_trained(root, model, selection), default_device()))


def _natural(model: Classifier, images: LabelledImages, inputs: Hashable, loaded: Loaded) -> Tensor:
    """Clean outcomes of a model; ``inputs`` names the images."""
    key = ("natural", fingerprint(model), inputs)
    return loaded.get(key, lambda: natural_outcomes(model, images))


def _attack_and_write(
    root: Path,
    cell: Evaluation | TransferRow,
    source: Any,
    judges: Mapping[str, Classifier],
    dataset: DatasetSettings,
    images: LabelledImages,
    spec: AttackSpec,
    batch_size: int,
    work: Provenance,
    session: Session,
) -> None:
    settings = {"attack": spec.described(), "batch_size": batch_size}
    inputs = _inputs(cell, dataset, settings, source, judges)
    if Finished(session.keep, root).found([root / cell.path], key_of(inputs), session.waited):
        return
    unfinished = Unfinished(unfinished_path(root, cell), inputs)
    with session.listening(), Progress(cell.path, len(images), "images") as progress:
        found = attack_and_judge(
            source,
            judges,
            images,
            spec,
            batch_size=batch_size,
            report=progress.update,
            unfinished=unfinished,
            session=session,
        )
    clean = (dataset, spec.images)
    results = [
        {
            "model": name,
            "natural": pack_outcomes(_natural(judge, images, clean, session.loaded).numpy()),
            "robust": pack_outcomes(found.outcomes[name].numpy()),
            "parameters": parameter_count(judge),
            "parameters_kept": kept_parameters(judge),
        }
        for name, judge in judges.items()
    ]
    contents: dict[str, Any] = {"settings": settings, "results": results}
    if found.queries is not None:
        contents["queries"] = pack_counts(found.queries.numpy())
    if share().writes:
        contents["checks"] = asdict(measure_checks(source, images, spec.seed))
    session.continued = unfinished.continued
    _write(root, cell, dataset, contents, work, session, inputs)
    if share().writes:
        unfinished.forget()


def unfinished_path(root: Path, cell: Cell) -> Path:
    """Folder of an unfinished attack's batches, by identity."""
    return checkpoints(root) / Path(cell.path).with_suffix("")


def _inputs(
    cell: Cell,
    dataset: DatasetSettings,
    settings: dict[str, Any],
    source: Any,
    judges: Mapping[str, Classifier],
) -> str:
    """Everything that an attack's outcomes depend on, but the code."""
    data = asdict(dataset)
    # Where the same data lies is a matter of the machine.
    del data["path"]
    models = {name: fingerprint(judge) for name, judge in judges.items()}
    # A candidate set's source is a view of models that are judges too, fingerprinted anyway.
    if isinstance(source, Classifier):
        models["source"] = fingerprint(source)
    return json.dumps([cell.path, settings, data, models], sort_keys=True)


def kept_parameters(model: Classifier) -> int:
    """Number of weights that are not zero: what is left under a mask."""
    return sum(int(p.count_nonzero()) for p in model.parameters())


def make_feature_distance(
    root: Path,
    cell: FeatureDistance,
    dataset: DatasetSettings,
    network: NetworkSettings,
    eps_grid: tuple[float, ...],
    workers: int = 0,
    session: Session | None = None,
) -> None:
    """Measure feature distances of a dense, or of the untrained network, and write the cell.

    The untrained network's batch norms get their statistics from one pass over the
    training images; without it they would not normalise at all.
    """
    work, session = Provenance(), session or Session()
    device = default_device()
    splits = load_splits(dataset, workers=workers).to(device)
    if isinstance(cell.model, Untrained):
        model = build_classifier(network, dataset.classes, dataset.mean, dataset.std)
        draw_weights(model, cell.model.network.init, cell.model.network.seed)
        model = place(model.requires_grad_(False), device)
        estimate_batch_norm(model, splits.train)
    else:
        assert cell.selection is not None
        model = place(load_trained(root, cell.model, cell.selection), device)
    settings = {"network": asdict(network), "eps_grid": eps_grid}
    inputs = _inputs(cell, dataset, settings, model, {})
    if Finished(session.keep, root).found([root / cell.path], key_of(inputs), session.waited):
        return
    distances = feature_distances(model, splits.test, eps_grid, cell.model.network.seed)
    results = [
        {"eps": eps, "mean": float(d.mean()), "deviation": float(d.std()), "total": len(d)}
        for eps, d in distances.items()
    ]
    _write(root, cell, dataset, {"results": results}, work, session, inputs)


@torch.no_grad()
def estimate_batch_norm(model: Classifier, images: LabelledImages, batch_size: int = 500) -> None:
    """Set batch-norm statistics to averages over the images, in place; leaves it evaluating."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # a cumulative average over all batches
    model.train()
    for _, batch, _ in images.evaluation_batches(batch_size):
        model(batch)
    for module, momentum in zip(norms, momenta, strict=True):
        module.momentum = momentum
    model.eval()


def make_data_manifest(path: Path, dataset: DatasetSettings, *, download: bool) -> None:
    """Load a dataset once, fetching it if asked, and write its settings and what was found.

    Every other command reads the dataset's settings from this file.
    """
    splits: Splits = load_splits(dataset, download=download)
    if not share().writes:
        return
    sizes = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    write_json(
        path,
        {
            "settings": asdict(dataset),
            "images": {name: len(images) for name, images in sizes.items()},
            "images_a_class": {
                name: _counts(images.labels, dataset.classes) for name, images in sizes.items()
            },
        },
    )
    say(f"wrote {path}")


def read_data_manifest(path: Path) -> DatasetSettings:
    """The settings of the dataset whose manifest this is.

    Raises:
        FileNotFoundError: saying how to make it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; 'rst data {path} …' makes it")
    return from_flags(DatasetSettings, json.loads(path.read_text())["settings"])


def _counts(labels: Tensor, classes: int) -> list[int]:
    return torch.bincount(labels, minlength=classes).tolist()


def _test_images(dataset: DatasetSettings, workers: int, loaded: Loaded) -> LabelledImages:
    def load() -> LabelledImages:
        return load_splits(dataset, workers=workers).test.to(default_device())

    return loaded.get(("test images", dataset), load)


def _write(
    root: Path,
    cell: Cell,
    dataset: DatasetSettings,
    contents: dict[str, Any],
    work: Provenance,
    session: Session,
    inputs: str,
) -> None:
    if not share().writes:
        return
    session.check()
    path = root / cell.path
    described = {"name": cell.model.network.dataset, **asdict(dataset)}
    del described["path"]
    write_json(
        path,
        {
            "format": FORMAT,
            "cell": cell.path,
            "kind": type(cell).__name__,
            "dataset": described,
            **contents,
            "provenance": work.finish(key_of(inputs), session.continued),
        },
    )
    say(f"wrote {path}")
    Finished(session.keep, root).keep([path])
