"""What all that shows results shares: fresh cells, marks of stand-ins, errors as sentences."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from rst_core.data.manifest import OFFICIAL, read_manifest
from rst_core.identity import Cell
from rst_core.pages import stamp
from rst_core.storage import FileError
from workflow.config import Config, ConfigError, read_config
from workflow.images import Datasets
from workflow.keys import FAILED, Keys, StaleError, State, shown_key
from workflow.matrix import Matrix


class Shown:
    """The matrix of a config, marked as its images are, and which of its results may be shown."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._plain = Matrix(read_config(dict(config)))
        self.keys = Keys(self._plain, Datasets(self._plain, lambda: False).digest)
        self.matrix = Matrix(marked(self._plain.config, Path(self._plain.results, "data")))

    def files(self, cells: Iterable[Cell]) -> list[Path]:
        """Files of cells, all of them fresh but for those that failed and leave a gap.

        Raises:
            StaleError: naming the first that is not.
        """
        found = []
        for cell in cells:
            status, path = self.keys.status(cell), Path(self.matrix.file(cell))
            if status.state is not State.FRESH and status.reason != FAILED:
                reason = status.reason or "it is missing"
                raise StaleError(f"{path} is not shown: {reason}; run the same command again")
            found.append(path)
        return found

    def stamp(self, page: Path, cells: Iterable[Cell], files: Iterable[str | Path] = ()) -> None:
        """Write down what a page was made of, and what is made with it.

        One with gaps is made again by the next run.
        """
        if key := shown_key(self.keys, self._plain, list(cells)):
            stamp(page, key, map(Path, files))


def marked(config: Config, manifests: Path) -> Config:
    """The config, in which a dataset with other counts than the official ones is a stand-in.

    So it carries its mark ("6,187 of 60,000 images") wherever a stand-in carries its own. One
    that already is a stand-in, or has no manifest yet, stays as it is.

    Args:
        config: of the matrix.
        manifests: folder of the datasets' manifests.

    Raises:
        FileError: naming the manifest that cannot be used.
    """
    datasets = dict(config.datasets)
    for role, name in config.roles.datasets.items():
        entry, path = datasets[name], manifests / f"{name}.json"
        if entry.stand_in_for or not path.is_file():
            continue
        if mark := read_manifest(path).mark(role):
            note = "; ".join(filter(None, [mark, entry.note]))
            update = {"stand_in_for": OFFICIAL[role][0], "note": note}
            datasets[name] = entry.model_copy(update=update)
    return config.model_copy(update={"datasets": datasets})


@contextmanager
def logged(log: Path) -> Iterator[None]:
    """Send what the block says to a log, and end the program with the block's error, if any.

    The error's sentence stands last in the log, where the end of a run looks for it, and on the
    screen; what is no sentence of ours comes with its traceback. What a script needs it imports
    in the block, so that a package that is missing is such an error too.
    """
    sentence = ""
    with log.open("w", encoding="utf-8") as file, redirect_stderr(file):
        try:
            yield
        except (FileError, ConfigError, StaleError, OSError) as error:
            sentence = str(error)
        except Exception as error:  # a defect of ours
            traceback.print_exc()
            sentence = f"{type(error).__name__}: {error}; the traceback is in {log}"
        print(sentence, end="", file=sys.stderr)
    if sentence:
        sys.exit(sentence)
