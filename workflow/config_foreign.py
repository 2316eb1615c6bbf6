"""The config's checkpoints that were made elsewhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from rst_core.identity import Dense, Ticket, parse_model
from rst_core.vocabulary import CheckpointLayout, Origin
from workflow.config_sentences import line


class ForeignEntry(BaseModel):
    """A checkpoint that was made elsewhere, called like a model that would be made here.

    Its network holds foreign models only: none of that network is searched or trained.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(
        description="what it is called: the path of a dense or an RST, such as "
        "cifar10/released/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8"
    )
    file: Annotated[str, AfterValidator(line)] = Field(
        min_length=1,
        max_length=1000,
        description="the checkpoint, from the repository root; nothing in it is executed",
    )
    layout: CheckpointLayout = Field(
        description="how it names its tensors: as the networks here or torchvision's do "
        "(state_dict), or as the paper's released code does (released)"
    )

    @field_validator("model")
    @classmethod
    def _names_a_model(cls, value: str) -> str:
        try:
            model = parse_model(value)
        except ValueError as error:
            raise ValueError(f"is no name: {error}") from None
        match model:
            case Dense() | Ticket(origin=Origin.RST):
                return value
            case _:
                raise ValueError(f"is {value!r}; allowed is the path of a dense or of an RST")

    @property
    def identity(self) -> Dense | Ticket:
        """What it is called, as an identity."""
        model = parse_model(self.model)
        assert isinstance(model, Dense | Ticket)
        return model
