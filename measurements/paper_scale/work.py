"""The run itself: stage by stage in order of worth, within a budget, from where it stopped."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measurements.paper_scale import parcel, speed
from measurements.paper_scale.compiled import compile_training, leave_as_is
from measurements.paper_scale.images import pack_archive
from measurements.paper_scale.record import Record
from measurements.paper_scale.scale import Measured, Scale
from measurements.paper_scale.schedule import Schedule, cell_seconds, decide
from rst_core.cells import make_evaluation, make_trained, make_transfer_row
from rst_core.data import load_splits
from rst_core.files import write_json
from rst_core.progress import say
from rst_core.session import MARGIN, LeftUnfinished, Session
from rst_core.spec import Evaluation, Ticket, Trained
from rst_core.tickets import model_path
from rst_core.vocabulary import Selection

#: Seconds of a budget kept for the last parcel.
LAST = 15.0
#: Seconds with which it is worth to begin a model.
BEGIN = 20.0


class Skipped(Exception):  # noqa: N818 - what cannot be made here is no error of the run
    """A cell that cannot be made on this machine; the message says why."""


@dataclass(frozen=True)
class Options:
    """What a call is told.

    Attributes:
        folder: of everything that is made; cells, unfinished work, images, records.
        archive: the JPEGs.
        out: where parcels are put; None makes none.
        budget: seconds of this call.
        total: seconds for which the schedule is made, this call's included.
        until: stage up to which everything is to fit into ``total``.
        stages: which are worked on.
        parcel_bytes: most that all parcels may weigh.
        compiling: whether torch.compile may be tried.
    """

    folder: Path
    archive: Path
    out: Path | None
    budget: float
    total: float
    until: int = 3
    stages: tuple[int, ...] = (1, 2, 3, 4)
    parcel_bytes: int = parcel.LIMIT
    compiling: bool = True


class Work:
    """One call of the run."""

    def __init__(
        self, scale: Scale, options: Options, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.options, self.clock = options, clock
        self.began = clock()
        self.deadline = self.began + options.budget - min(LAST, options.budget / 10)
        self.root = options.folder / "cells"
        self.packed = options.folder / "images.pt"
        self.scale = scale.at(self.packed)
        self.record = Record(options.folder / "record.json")

    @property
    def left(self) -> float:
        """Seconds until this call must end."""
        return self.deadline - self.clock()

    def run(self) -> bool:
        """Work until everything is done or the budget is used up.

        Returns:
            Whether nothing is left to be done on this machine.
        """
        self.send(models=True)
        try:
            return self._all_stages()
        except LeftUnfinished as left:
            say(f"this call ends: {left}; the same command continues")
            return False
        finally:
            self.send(models=True)

    def _all_stages(self) -> bool:
        if not self.packed.is_file():
            with self.record.piece(1, "decode the images"):
                self._pack()
        measured = self._kept("speed.json", self._speed)
        schedule = self._schedule(measured)
        complete = True
        for stage, cell in self.scale.wanted():
            if stage in self.options.stages and not (self.root / cell.path).is_file():
                complete &= self._try(stage, cell, measured, schedule)
        return complete

    def _pack(self) -> None:
        a_class, cores = self.scale.images_a_class, os.cpu_count() or 1
        pack_archive(self.options.archive, self.packed, a_class=a_class, processes=cores)

    def _speed(self) -> dict[str, Any]:
        return speed.measure(self.scale, compiling=self.options.compiling)

    def _kept(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A JSON file of the folder, made if it is not there."""
        path = self.options.folder / name
        if not path.is_file():
            with self.record.piece(1, name.removesuffix(".json")):
                write_json(path, make())
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def _schedule(self, measured: dict[str, Any]) -> Schedule:
        def make() -> dict[str, Any]:
            splits = load_splits(self.scale.dataset)
            return asdict(
                decide(
                    measured,
                    self.scale,
                    self.options.total - (self.clock() - self.began),
                    train_images=len(splits.train),
                    test_images=len(splits.test),
                    until=self.options.until,
                )
            )

        stored = self._kept("schedule.json", make)
        return Schedule(**stored | {"decay_epochs": tuple(stored["decay_epochs"])})

    def _try(
        self, stage: int, cell: Measured, measured: dict[str, Any], schedule: Schedule
    ) -> bool:
        """Make a cell and the models it needs; what fails is recorded and not waited for."""
        try:
            self._check(cell)
            for model, selection in self.scale.models(cell):
                self._need(stage, model, selection, schedule)
            self._measure(stage, cell, measured)
        except Skipped as why:
            self.record.note(stage, cell.path, f"skipped: {why}")
        except LeftUnfinished:
            raise
        except Exception as error:  # one cell's failure must not cost the others their time
            say(f"{cell.path}: {type(error).__name__}: {error}")
            return False
        return True

    def _check(self, cell: Measured) -> None:
        names = ("autoattack", "pyautoattack")
        if cell.attack == "auto_attack" and not any(map(importlib.util.find_spec, names)):
            raise Skipped("Auto-Attack is not installed; see docs/paper-scale.md")

    def _session(self) -> Session:
        # A session keeps a margin of its own: it ends when this call must.
        seconds = self.left + MARGIN if self.left >= 3 * MARGIN else 4 / 3 * self.left
        return Session(minutes=max(seconds, 0.0) / 60, clock=self.clock)

    def _leave_unless(self, seconds: float, what: str) -> None:
        if self.left < seconds:
            raise LeftUnfinished(f"{what} needs about {seconds:.0f} s, {self.left:.0f} s are left")

    def _need(self, stage: int, model: Trained, selection: Selection, schedule: Schedule) -> None:
        """Make a model and what lies under it, unless they exist.

        Raises:
            Skipped: if a part of it is missing that did not travel, and would not be the same.
        """
        there = [s for s in _SELECTIONS if model_path(self.root, model, s).is_file()]
        if isinstance(model, Ticket) and model.dense is not None:
            dense = model_path(self.root, model.dense, Selection.BEST_VAL)
            if there and not dense.is_file():
                raise Skipped(f"{model.dense.path}, on whose weights it was searched, is not here")
            self._need(stage, model.dense, Selection.BEST_VAL, schedule)
        if selection in there:
            return
        if there:
            raise Skipped(f"{model.path}/{selection} is not here")
        self._leave_unless(BEGIN, model.path)
        session = self._session()
        with self.record.piece(stage, model.path), session.until_told():
            make_trained(
                self.root,
                model,
                self.scale.dataset,
                self.scale.network,
                schedule.applied(self.scale.training),
                selections=_SELECTIONS,
                session=session,
                prepare=compile_training if schedule.compiled else leave_as_is,
            )
        self.send(models=True)

    def _measure(self, stage: int, cell: Measured, measured: dict[str, Any]) -> None:
        spec = self.scale.attack(cell.attack)
        size = self.scale.attack_batch_size
        # An attack stops between two batches, so that it needs the time of one.
        needed = cell_seconds(cell, measured, self.scale, min(size, spec.images or size))
        if needed > self.options.budget - LAST:
            raise Skipped(f"a batch takes about {needed:.0f} s, more than a whole call")
        self._leave_unless(needed, cell.path)
        session, dataset = self._session(), self.scale.dataset
        with self.record.piece(stage, cell.path), session.until_told():
            if isinstance(cell, Evaluation):
                make_evaluation(self.root, cell, dataset, spec, size, session=session)
            else:
                targets = self.scale.models(cell)
                make_transfer_row(self.root, cell, targets, dataset, spec, size, session=session)
        self.send()

    def send(self, *, models: bool = False) -> None:
        """Put what is finished where it survives this machine."""
        if self.options.out is not None:
            parcel.pack(self.options.folder, self.options.out, self.options.parcel_bytes, models)


_SELECTIONS = (Selection.BEST_VAL, Selection.LAST)
