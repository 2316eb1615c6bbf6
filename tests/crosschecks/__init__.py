"""Our attacks against implementations that nobody here wrote, and against exact answers.

One network adversarially trained here on digits; one ticket of ``examples/``, on real CIFAR-10
images where they lie beside the checkout; and one linear model whose robust accuracy is known in
closed form. ``python -m tests.crosschecks.table`` prints what is measured.
"""
