# The settings that a cell depends on, as flags of its command.
import hashlib
import shlex

from rst_core import spec
from rst_core.flags import to_flags
from workflow.config import ConfigError


def words(flags):
    """Flags as one string for a shell command."""
    return " ".join(shlex.quote(word) for word in flags)


@asked
def training_flags(model):
    """Everything that a training run's result depends on, but its data and its bases."""
    flags = to_flags(MATRIX.network_settings(model.network))
    flags += to_flags(MATRIX.training_settings(model.network.dataset))
    flags += [
        "--selections",
        *MATRIX.config.keep_selections,
        "--base",
        MATRIX.config.selection,
    ]
    return words(flags)


@asked
def attack_flags(cell):
    """Everything that an attack's result depends on, but its data and its models."""
    flags = [
        "--batch-size",
        str(MATRIX.config.attack_batch_size),
        *to_flags(MATRIX.attack(cell)),
    ]
    return words(flags)


@asked
def features_flags(cell):
    grids = (e.feature_distance for e in MATRIX.config.experiments.values())
    grid = sorted({eps for grid in grids for eps in grid})
    if not grid:
        raise ConfigError(
            "no experiment has a feature_distance; it lists noise magnitudes"
        )
    flags = to_flags(MATRIX.network_settings(cell.model.network))
    return words([*flags, "--eps-grid", *map(spec.format_number, grid)])


@asked
def dataset_digest(network):
    """What tells apart two datasets of one name; the place where the data lies does not."""
    manifest(network)
    flags = to_flags(MATRIX.config.datasets[network.dataset].images)
    flags.pop(flags.index("--path") + 1)
    return hashlib.sha256(words(flags).encode()).hexdigest()[:12]
