"""What a process has loaded, kept for the cells it makes one after another.

Start-up is most of a short evaluation. Cells that one process makes (``rst batch``) share the
images of their dataset, the models that several of them load, and the clean outcomes of each
model, which every row of a transfer matrix repeats for every judge. A process that makes one
cell meets an empty shelf and pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class Loaded:
    """Values by what they were made from, the least recently used left out beyond ``limit``.

    Attributes:
        limit: how many are kept.
    """

    limit: int = 32
    _values: dict[Hashable, Any] = field(default_factory=dict)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of ``key``, made now if it is not here.

        Args:
            key: everything that the value depends on.
            make: makes it.
        """
        value: T = self._values.pop(key) if key in self._values else make()
        self._values[key] = value  # the last in order is the last used
        while len(self._values) > self.limit:
            del self._values[next(iter(self._values))]
        return value


def stamp(path: Path) -> tuple[str, int, int]:
    """What tells a file from another, or later, one without reading it."""
    found = path.stat()
    return str(path.resolve()), found.st_mtime_ns, found.st_size
