"""Which test images survive: one function for white-box, transferred and adaptive attacks."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from rst_core.attacks import run_counting
from rst_core.attacks.gradient import LogitFunction
from rst_core.data import LabelledImages
from rst_core.distributed import agreed, share, total
from rst_core.files import load_tensors, save_tensors
from rst_core.progress import say
from rst_core.seeding import generator
from rst_core.session import Session, Verdict
from rst_core.settings import AttackSpec

#: Called after every batch with (images done, images in all).
Report = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    pass


@torch.no_grad()
def correct(model: LogitFunction, images: Tensor, labels: Tensor) -> Tensor:
    """Which of N images the model classifies correctly, N booleans."""
    return model(images).argmax(1) == labels


def _united(outcomes: Tensor) -> Tensor:
    """N outcomes on the CPU; each process filled in its batches and left the others at 0."""
    return total(outcomes).bool().cpu()


@dataclass(frozen=True)
class AttackResult:
    """What an attack on a whole test set found.

    Attributes:
        outcomes: for every judge, N booleans on the CPU: which images it still classifies
            correctly.
        queries: N counts on the CPU of what each image cost, if the attack counts queries.
    """

    outcomes: dict[str, Tensor]
    queries: Tensor | None


@dataclass
class Unfinished:
    """Finished batches of an unfinished attack, on disk, so that a killed job goes on.

    Every process writes a file of its own, and each reads the files of all: a batch counts
    by the index of its first image, whichever of however many processes did it.

    Attributes:
        folder: where the files are; removed by :meth:`forget` once the result is kept.
        key: everything that the outcomes depend on; a file with another key is ignored.
        interval: seconds between two writes. An attack that is done sooner writes nothing,
            so that short ones pay nothing for what only long ones need.
        continued: from where sessions after the first continued.
    """

    folder: Path
    key: str
    interval: float = 60.0
    continued: list[str] = field(default_factory=list)
    _batches: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    _saved: float = field(default_factory=time.monotonic)

    def load(self) -> dict[int, dict[str, Tensor]]:
        """Batches that are done: first image to what was found, by judge's name."""
        for path in sorted(self.folder.glob("process*.pt")):
            try:
                stored = load_tensors(path)
            except ValueError as error:
                say(f"{path} is left aside: {error}")
                continue
            if stored["key"] != self.key:
                say(f"{path} is left aside: it is of other settings or models")
                continue
            self._batches |= stored["batches"]
            # All processes continue together and note the same.
            self.continued = max(self.continued, stored.get("continued", []), key=len)
        if self._batches:
            self.continued = [*self.continued, f"after {len(self._batches)} batches"]
        return self._batches

    def add(self, start: int, found: dict[str, Tensor]) -> None:
        """Note a batch, and write all of them if the last write was long ago."""
        self._batches[start] = found
        if time.monotonic() - self._saved >= self.interval:
            self.save()

    def save(self) -> None:
        """Write all batches that this process knows."""
        path = self.folder / f"process{share().rank}.pt"
        contents = {"key": self.key, "batches": self._batches, "continued": self.continued}
        save_tensors(path, contents)
        self._saved = time.monotonic()

    def forget(self) -> None:
        """Remove the files, and the folder if nothing else is in it."""
        for path in self.folder.glob("process*.pt"):
            path.unlink(missing_ok=True)
        for part in self.folder.glob(".process*.part"):
            part.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def fingerprint(model: nn.Module) -> str:
    """Hex digest of a model's parameters and buffers, the same on every device."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _unknown(images: LabelledImages) -> Tensor:
    # Not booleans: those cannot be summed over processes.
    return torch.zeros(len(images), dtype=torch.uint8, device=images.device)


def natural_outcomes(model: LogitFunction, images: LabelledImages, batch_size: int = 500) -> Tensor:
    """Which clean images are classified correctly, N booleans on the CPU.

    Several processes share the batches; each returns the outcomes of all images.
    """
    outcomes = _unknown(images)
    for start, clean, labels in images.evaluation_batches(batch_size, share()):
        outcomes[start : start + len(labels)] = correct(model, clean, labels)
    return _united(outcomes)


def attack_outcomes(
    source: LogitFunction,
    judges: Mapping[str, LogitFunction],
    images: LabelledImages,
    spec: AttackSpec,
    *,
    batch_size: int = 500,
    report: Report = _silent,
    unfinished: Unfinished | None = None,
) -> dict[str, Tensor]:
    """The outcomes of :func:`attack_and_judge`."""
    return attack_and_judge(
        source, judges, images, spec, batch_size=batch_size, report=report, unfinished=unfinished
    ).outcomes


def attack_and_judge(
    source: LogitFunction,
    judges: Mapping[str, LogitFunction],
    images: LabelledImages,
    spec: AttackSpec,
    *,
    batch_size: int = 500,
    report: Report = _silent,
    unfinished: Unfinished | None = None,
    session: Session | None = None,
) -> AttackResult:
    """Attack ``source`` once and evaluate every judge on the same adversarial images.

    Models must be in evaluation mode; everything is float32. Several processes share the
    batches; each returns the outcomes of all images.

    Args:
        source: what the adversary sees.
        judges: models to evaluate, by name; a white-box attack judges its own source.
        images: the test images, on the models' device.
        spec: the attack.
        batch_size: images at a time; random starts are drawn batch by batch, so it is one of
            the settings that determine the outcomes.
        report: told of every batch.
        unfinished: where finished batches are kept, and taken from instead of being done
            again; the caller forgets it once the result is written.
        session: says when to leave, which needs ``unfinished``; by default never.

    Returns:
        Outcomes of every judge, and query counts if the attack has them.

    Raises:
        LeftUnfinished: if the session ends first; finished batches are in ``unfinished``.
    """
    outcomes = {name: _unknown(images) for name in judges}
    queries = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    counted = torch.zeros(1, device=images.device)
    done = unfinished.load() if unfinished else {}
    if done:
        say(f"{spec.name}: continuing after {len(done)} of {_batches(images, batch_size)} batches")
    verdict = Verdict.GO_ON
    for start, clean, labels in images.evaluation_batches(batch_size, share()):
        stop = start + len(labels)
        if start not in done:
            if session and unfinished and (verdict := session.verdict("batch")).leave:
                break
            with session.timed("batch") if session else nullcontext():
                found = _judge_batch(source, judges, spec, start, clean, labels)
            if unfinished:
                unfinished.add(start, found)
        else:
            found = done[start]
        for name in judges:
            outcomes[name][start:stop] = found[f"judge {name}"]
        if "queries" in found:
            queries[start:stop] = found["queries"].to(queries.device)
            counted += 1
        report(stop, len(images))
    if session and unfinished:
        _leave_together(session, unfinished, verdict, _batches(images, batch_size))
    united = {name: _united(found) for name, found in outcomes.items()}
    # Every process must join the sum, whether or not it had a batch to count in.
    any_counted, all_queries = bool(total(counted)), total(queries).cpu()
    return AttackResult(united, all_queries if any_counted else None)


def _judge_batch(
    source: LogitFunction,
    judges: Mapping[str, LogitFunction],
    spec: AttackSpec,
    start: int,
    clean: Tensor,
    labels: Tensor,
) -> dict[str, Tensor]:
    """Attack the batch whose first image is number ``start``; what :class:`Unfinished` keeps."""
    rng = generator("attack", spec.name, spec.seed, start)
    adversarial, cost = run_counting(source, clean, labels, spec, rng)
    found = {
        f"judge {name}": correct(judge, adversarial, labels).cpu() for name, judge in judges.items()
    }
    if cost is not None:
        found["queries"] = cost.cpu()
    return found


def _leave_together(session: Session, unfinished: Unfinished, mine: Verdict, batches: int) -> None:
    """Leave if any process has to; each comes here after its last batch or in place of it."""
    verdict = Verdict(agreed(mine if mine.leave else Verdict.GO_ON))
    if not verdict.leave:
        return
    if verdict is not Verdict.SUPERSEDED:
        unfinished.save()
        agreed(0)  # leaving ends the others, who may still be writing
    session.leave(verdict, f"after {len(unfinished.load())} of {batches} batches")


def _batches(images: LabelledImages, batch_size: int) -> int:
    return math.ceil(len(images) / batch_size)
