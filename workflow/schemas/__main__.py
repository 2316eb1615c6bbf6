"""Write the JSON schema of config.yaml: ``python -m workflow.schemas``."""

from pathlib import Path

from rst_core.storage import write_text
from workflow.config import schema_text

write_text(Path(__file__).with_name("config.schema.json"), schema_text())
