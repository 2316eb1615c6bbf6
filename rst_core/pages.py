"""HTML pages that say what they were made of, and which files were made with them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from rst_core.storage import FileError, file_digest, write_text

_STAMP = '<meta name="made-of" content="{} {} {}">'


def stamp(page: Path, key: str, files: Iterable[Path] = ()) -> None:
    """Write a key into a page, with a digest of the page and of the files made with it."""
    text = page.read_text(encoding="utf-8")
    names = [os.path.relpath(path, page.parent) for path in files]
    found = _STAMP.format(key, _digest(text, page, names), "|".join(names))
    write_text(page, text.replace("<head>", f"<head>{found}", 1))


def stamped(page: Path) -> str:
    """The key in a page; empty if there is none.

    Raises:
        FileError: if the page, or a file made with it, is not as it was written.
    """
    text = page.read_text(encoding="utf-8", errors="replace")
    found = re.search(_STAMP.format("([0-9a-f]+)", "([0-9a-f]+)", '([^"]*)'), text[:5000])
    if not found:
        return ""
    key, digest, names = found.groups()
    if digest != _digest(text.replace(found[0], "", 1), page, names.split("|") if names else []):
        raise FileError(
            f"{page} or a file made with it was changed since; delete the page to have all made "
            "again"
        )
    return key


def _digest(text: str, page: Path, names: Iterable[str]) -> str:
    """Of a page without its stamp, and of the files of these names, from the page's folder."""
    found = hashlib.sha256(text.encode())
    for name in names:
        path = page.parent / name
        found.update(f"{name} {file_digest(path) if path.is_file() else 'missing'}\n".encode())
    return found.hexdigest()
