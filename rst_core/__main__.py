"""``python -m rst_core`` is ``rst``."""

import sys

from rst_core.cli import main

sys.exit(main())
