"""The science of Robust Scratch Tickets: search masks, attack models, measure.

Knows no workflow engine, no tables and no scheduler. Importing the package is cheap: torch is
loaded by the modules that compute, and by the first use of a name of :mod:`rst_core.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rst_core.api import Accuracy, evaluate, example_names, load, load_test_images
    from rst_core.models.files import load_model
    from rst_core.models.r2s import RandomSwitch, load_random_switch

__version__ = "0.1.0"
__all__ = [
    "Accuracy", "RandomSwitch", "evaluate", "example_names", "load", "load_model",
    "load_random_switch", "load_test_images",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rst_core import api

    return getattr(api, name)
