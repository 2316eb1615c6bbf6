"""``python -m rst_core`` is ``rst``."""

import sys

try:
    from rst_core.job.cli import main
except KeyboardInterrupt:  # Ctrl-C before there is a command that could answer it
    print("rst: interrupted", file=sys.stderr)
    sys.exit(130)

sys.exit(main())
