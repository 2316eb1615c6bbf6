import ctypes
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PROGRAM = """
import resource, sys
import torch
from rst_core.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(20):  # until the heap is large enough
    torch.ones(2**24).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**24).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Pages that 20 blocks of 64 MiB, one after another, had to ask the kernel for."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc can be told")
def test_freed_memory_is_used_again_instead_of_asked_for_again():
    assert faults("keep") < faults("as it is") / 10
