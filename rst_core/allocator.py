"""Memory that a step has freed stays with the process, for the next step.

glibc gives large blocks back to the kernel as soon as they are free, and gets them again,
zeroed and page by page, a moment later: a tenth of a search step of a narrow network on a CPU.
What is kept is what the next step needs anyway: a search's peak stays the same.
"""

from __future__ import annotations

import ctypes

# mallopt(3): parameters of glibc.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell the C library to keep freed memory; whether it could be told, which is glibc only."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return all([mallopt(_TRIM_THRESHOLD, _NEVER), mallopt(_MMAP_THRESHOLD, _NEVER)])
