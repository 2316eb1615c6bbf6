"""The GPU path, checked where there is no GPU: on a device that only pretends to be one.

Its tensors say that they lie on another device, refuse to meet those of the CPU, and note
whenever the host would have to wait for them; their numbers are computed on the CPU. What it
cannot show is what a real device computes, and how fast.

A device is registered once and for good, so tests/project/test_pretend_gpu.py runs each
``check_*.py`` here in a process of its own:

    python -m pytest -o python_files='check_*.py' tests/pretend_gpu
"""
