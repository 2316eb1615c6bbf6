"""``python -m workflow.plan plan|status|calibrate|check``."""

import sys

from workflow.plan.cli import COMMANDS

if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
    sys.exit(f"python -m workflow.plan: allowed is one of {', '.join(COMMANDS)}, then its words")
sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
