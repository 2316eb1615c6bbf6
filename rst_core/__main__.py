"""``python -m rst_core`` is ``rst``."""

import sys

from rst_core.job.cli import main

sys.exit(main())
