"""Our attacks against implementations that nobody here wrote, and against exact answers.

Two models adversarially trained here, on digits and, where they lie beside the checkout, on real
CIFAR-10 images; and one linear model whose robust accuracy is known in closed form. Each has a
file of its own, so that two processes share the work. ``python -m tests.crosschecks.table``
prints what is measured.
"""

import pytest

pytest.register_assert_rewrite("tests.crosschecks.comparisons")
