"""Pages whose numbers are measured: a command fills in what stands between a part's marks.

``<!-- measured: NAME -->`` begins a part of a page and ``<!-- end -->`` ends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from rst_core.storage import write_text

_BEGIN, _END = "<!-- measured: {} -->", "<!-- end -->"
_PART = re.compile(
    rf"(?P<begin>{_BEGIN.format('(?P<name>[^>]+?)')})\n.*?(?P<end>{_END})", re.DOTALL
)


def filled(text: str, part: Callable[[str], str | None]) -> str:
    """A page's text with its parts made anew.

    Args:
        text: of the page.
        part: from the name of a part to what stands in it; None leaves it as it is.
    """

    def made(match: re.Match[str]) -> str:
        new = part(match["name"])
        return match[0] if new is None else f"{match['begin']}\n{new.rstrip()}\n{match['end']}"

    return _PART.sub(made, text)


def fill(page: Path, parts: Mapping[str, str]) -> None:
    """Replace some of a page's parts, all others stay as they are.

    Raises:
        ValueError: if the page lacks one of them.
    """
    text = page.read_text(encoding="utf-8")
    there = {match["name"]: match[0] for match in _PART.finditer(text)}
    for name, part in parts.items():
        if name not in there:
            raise ValueError(f"{page} has no {_BEGIN.format(name)} … {_END} to fill in")
        text = text.replace(there[name], f"{_BEGIN.format(name)}\n{part.rstrip()}\n{_END}")
    write_text(page, text)
