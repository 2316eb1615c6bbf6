"""A calibration: what one device needs for the few calls that all cells are made of.

``rst calibrate`` writes it (:mod:`workflow.plan.measure`, :mod:`workflow.plan.assume`), the
cost model (:mod:`workflow.plan.cost`) multiplies it with numbers of calls. Reading one
needs no torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rst_core.files import write_json
from rst_core.vocabulary import Architecture, Precision

FORMAT = 1
#: Where ``rst calibrate`` writes and ``rst plan`` reads, from the repository root.
PLACE = Path("results/calibration.json")

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PlanError(ValueError):
    """Nothing can be planned; the message is one sentence with what to do."""


class NotCalibratedError(PlanError):
    """The calibration lacks what a cell is made of."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Curve(_Section):
    """Seconds of one call by the number of images in it.

    Attributes:
        points: (images, seconds), images rising.
    """

    points: list[tuple[Annotated[int, Field(ge=1)], Seconds]] = Field(min_length=1)

    def seconds(self, images: float) -> float:
        """Of a call on so many images: on the line between two points, or of the last two.

        Below the first point a call costs what the first one does. A curve of one point is
        proportional above it.
        """
        if images <= 0:
            return 0.0
        first, last = self.points[0], self.points[-1]
        if images <= first[0]:
            return first[1]
        if len(self.points) == 1:
            return last[1] * images / last[0]
        above = next((i for i, p in enumerate(self.points) if images <= p[0]), -1)
        (n0, s0), (n1, s1) = self.points[above - 1], self.points[above]
        found = s0 + (images - n0) / (n1 - n0) * (s1 - s0)
        # Larger calls never take less; a busy moment can make it look so.
        return max(found, last[1]) if images > last[0] else found


class TrainingTimes(_Section):
    """One batch size and precision of training on one network.

    Attributes:
        batch_size: images a step.
        precision: arithmetic.
        attack: one step of the inner maximisation, batch norms in training mode.
        update: an optimiser step of dense training, without any attack.
        search: what a step of mask search takes longer, for masks and scores; it does not
            depend on the images.
        finetune: the same for a fixed mask.
    """

    batch_size: int
    precision: Precision
    attack: Curve
    update: Curve
    search: Seconds
    finetune: Seconds


class NetworkTimes(_Section):
    """One network at one image size.

    Attributes:
        architecture: which.
        width: its factor on the channels.
        image_size: side of the images, in pixels.
        parameters: prunable weights.
        statistics: numbers that its batch norms carry.
        forward_flops: floating-point operations of one image's logits.
        build: seconds from nothing to the first gradient: drawing weights, warming up.
        forward: logits of a batch, float32, evaluation mode.
        gradient: one PGD step towards the images, float32, evaluation mode.
        training: by batch size and precision.
    """

    architecture: Architecture
    width: float
    image_size: int
    parameters: int
    statistics: int
    forward_flops: float
    build: Seconds
    forward: Curve
    gradient: Curve
    training: list[TrainingTimes]

    @property
    def name(self) -> str:
        """For messages."""
        return _network_name(self.architecture, self.width, self.image_size)

    def trained(self, batch_size: int, precision: Precision) -> TrainingTimes:
        """Times of a training setting.

        Raises:
            NotCalibratedError: if there are none.
        """
        for times in self.training:
            if (times.batch_size, times.precision) == (batch_size, precision):
                return times
        raise NotCalibratedError(
            f"{self.name} is not calibrated for batches of {batch_size} in {precision}; "
            "run 'rst calibrate' with this config"
        )


class AttackTimes(_Section):
    """What attacks compute beside the network, for one image size: a step of each by name.

    Measured on a model that costs next to nothing; ``cost`` says which attack takes how
    many of which.
    """

    image_size: int
    steps: dict[str, Curve]


class Calibration(_Section):
    """All that was measured, or assumed, of one device.

    Attributes:
        device: its name.
        device_type: cuda or cpu.
        torch: version.
        date: of the measurement (UTC).
        assumed: empty if everything was measured; else what was assumed instead.
        start: seconds from a command line to the first line of work: imports, the device.
        data: seconds to load a dataset, by name, where it was there to be loaded.
        libraries: seconds to import what only some attacks need, by name.
        networks: see there.
        attacks: see there.
        notes: what a reader must know, such as a batch that did not fit.
    """

    format: int = FORMAT
    device: str
    device_type: str
    torch: str
    date: str
    assumed: str
    start: Seconds
    data: dict[str, Seconds]
    libraries: dict[str, Seconds] = {}
    networks: list[NetworkTimes]
    attacks: list[AttackTimes]
    notes: list[str]

    @property
    def origin(self) -> str:
        """One line that says where the times come from, and whether they were measured."""
        if self.assumed:
            return f"ASSUMED, NOT MEASURED: {self.assumed} ({self.date[:10]})"
        return f"measured on {self.device}, torch {self.torch}, {self.date[:10]}"

    @property
    def unit(self) -> str:
        """What an hour is an hour of."""
        return "GPU hours" if self.device_type == "cuda" else "CPU job hours"

    def network(self, architecture: Architecture, width: float, image_size: int) -> NetworkTimes:
        """Times of a network.

        Raises:
            NotCalibratedError: if there are none.
        """
        for times in self.networks:
            if (times.architecture, times.width, times.image_size) == (
                architecture,
                width,
                image_size,
            ):
                return times
        name = _network_name(architecture, width, image_size)
        raise NotCalibratedError(f"{name} is not calibrated; run 'rst calibrate' with this config")

    def attack_step(self, name: str, image_size: int) -> Curve:
        """Arithmetic of one step of an attack.

        Raises:
            NotCalibratedError: if there is none.
        """
        for times in self.attacks:
            if times.image_size == image_size and name in times.steps:
                return times.steps[name]
        raise NotCalibratedError(
            f"{name} on {image_size} x {image_size} pixels is not calibrated; "
            "run 'rst calibrate' with this config"
        )


def _network_name(architecture: Architecture, width: float, image_size: int) -> str:
    return f"{architecture} of width {width:g} on {image_size} x {image_size} pixels"


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file.

    Raises:
        PlanError: if it is missing or not what ``rst calibrate`` writes.
    """
    if not path.is_file():
        raise PlanError(
            f"{path} does not exist; 'rst calibrate' makes it in a few minutes on the device "
            "that will compute, --calibration names another file"
        )
    try:
        found = Calibration.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise PlanError(
            f"{path} is no calibration of ours ({reason}); run 'rst calibrate'"
        ) from None
    if found.format != FORMAT:
        raise PlanError(f"{path} has format {found.format}; run 'rst calibrate' to write {FORMAT}")
    return found


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration file, whole or not at all."""
    write_json(path, calibration.model_dump(mode="json"))
