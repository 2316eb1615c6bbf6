"""``python -m rst_core`` is ``rst``."""

import sys

from rst_core.warm import made

# Asked before the command line is loaded, which takes longer than to ask.
status = made(sys.argv[1:])
if status is None:
    from rst_core.cli import main

    status = main()
sys.exit(status)
