"""What all parts of config.yaml share: names, numbers and texts that it may have, its sections."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from rst_core.forms import check_name, format_number
from rst_core.ranges import KEEP_RATIO, SEED, SIZE
from workflow.config_sentences import line, plain


def _path_number(value: float) -> float:
    try:
        format_number(value)
    except ValueError:
        raise ValueError(f"is {value!r}; allowed are at most six decimals") from None
    return value


def _name(value: str) -> str:
    try:
        check_name("a name", value)
    except ValueError:
        raise ValueError(
            "is no name; allowed are lower-case words joined by single underscores, such as "
            "resnet18_narrow"
        ) from None
    return value


KeepRatio = Annotated[float, Field(**KEEP_RATIO.bounds), AfterValidator(_path_number)]
Eps = Annotated[float, Field(**SIZE.bounds), AfterValidator(_path_number)]
Seed = Annotated[int, Field(**SEED.bounds)]
Line = Annotated[str, Field(max_length=200), AfterValidator(line)]
Label = Annotated[
    str,
    Field(min_length=1, max_length=60, description="name shown in tables and figures"),
    AfterValidator(line),
]
#: Names become folders.
Name = Annotated[str, Field(max_length=64), AfterValidator(_name)]


class Section(BaseModel):
    """A part of config.yaml: frozen, of known keys only, with nothing twice in a list."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _no_repetition(cls, values: Any) -> Any:
        for one in [values, *values] if isinstance(values, list) else []:
            if isinstance(one, list) and any(one.count(value) > 1 for value in one):
                raise ValueError(f"is {plain(one)}; a value may occur once only")
        return values
