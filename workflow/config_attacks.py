"""The config's attacks, and the measurements by which an experiment asks for them."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import Discriminator, Field, Tag, create_model, model_validator

from rst_core.ranges import SIZE, Range, bounds
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Norm
from workflow.config_values import Eps, Label, Section

#: The keys of an experiment that list attacks; the adaptive ones are on candidate sets.
ATTACKED = ("evaluate", "transfer", "adaptive", "adaptive_transfer")
#: Groups of models on which one transfer row is evaluated; see ``workflow.matrix``.
TargetGroup = Literal["tickets", "tickets_and_dense", "other_seeds"]
Sizes = Annotated[list[Eps], Field(min_length=1), Tag("array")]
_NoSize = Annotated[Literal["none"], Tag("string")]


def _like(name: str, **changed: Any) -> Any:
    """A key that is a field of the attack's settings, with its help, range and default."""
    given: dict[str, Any] = {"default": AttackSpec.__dataclass_fields__[name].default}
    return Field(**given | bounds(AttackSpec, name) | changed)


def _parameters() -> dict[str, Any]:
    """The keys of an attack that are fields of its settings, with their type, help and range.

    A cell gives the name, eps and seed; the step may be a fraction of eps.
    """
    own = {"name", "method", "norm", "eps", "step_size", "seed"}
    types = get_type_hints(AttackSpec)
    return {
        setting.name: (types[setting.name], _like(setting.name))
        for setting in fields(AttackSpec)
        if setting.name not in own
    }


_Parameters = create_model("_Parameters", __base__=Section, **_parameters())


class AttackEntry(_Parameters):  # type: ignore[misc, valid-type]  # made of AttackSpec's fields
    """An attack: everything but eps and seed. The step is absolute, or a fraction of eps.

    A parameter that the method does not have is an error, as it is in
    :class:`~rst_core.settings.AttackSpec`, which checks it.
    """

    label: Label
    method: AttackMethod
    norm: Norm = Field(description="of eps, step_size and step_per_eps")
    step_size: float | None = _like("step_size", default=None)
    step_per_eps: Annotated[float, Field(**Range(SIZE.low, 10).bounds)] | None = Field(
        None, description="step as a fraction of eps"
    )

    @model_validator(mode="after")
    def _complete(self) -> AttackEntry:
        steps = [self.step_size, self.step_per_eps]
        wanted = 1 if "step_size" in self.method.parameters else 0
        if steps.count(None) != 2 - wanted:
            raise ValueError(
                f"step_size is {self.step_size} and step_per_eps is {self.step_per_eps}; "
                f"{'exactly one' if wanted else 'none'} of the two is allowed for {self.method}"
            )
        self.at_any_size()
        return self

    def at_any_size(self) -> AttackSpec:
        """The attack with a made-up name, size and seed, for what does not depend on them."""
        return self.at("any", 1.0 if self.method.has_eps else None, 0)

    def at(self, name: str, eps: float | None, seed: int) -> AttackSpec:
        """The attack at one size and seed.

        Raises:
            ValueError: as :class:`~rst_core.settings.AttackSpec` does.
        """
        own = {"label", "step_size", "step_per_eps"}
        shared = {k: getattr(self, k) for k in type(self).model_fields if k not in own}
        relative = (self.step_per_eps or 0.0) * (eps or 0.0)
        step = self.step_size if self.step_size is not None else relative
        return AttackSpec(name=name, eps=eps, step_size=step, seed=seed, **shared)


class Measurement(Section):
    """An attack on every model of an experiment."""

    attack: str = Field(description="entry of 'attacks'")
    eps: (
        Annotated[
            Sizes | _NoSize,
            Discriminator(lambda eps: "string" if isinstance(eps, str) else "array"),
        ]
        | None
    ) = Field(
        None,
        description="sizes; left out: the eps that each model was searched or trained at; none: "
        "the attack has no eps",
    )

    def sizes(self, trained: float) -> list[float] | list[None]:
        """The eps of this measurement's cells, ``trained`` being the model's own."""
        if self.eps == "none":
            return [None]
        return self.eps or [trained]

    def at(self, eps: float) -> Self:
        """The measurement at one of its sizes."""
        return self.model_copy(update={"eps": self.eps and [eps]})


class TransferMeasurement(Measurement):
    """A transfer row from every model of an experiment."""

    to: TargetGroup = Field(description="on which models the row is evaluated")
