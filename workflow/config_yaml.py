"""YAML files of the config, read so that a key that stands there twice is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

#: The same trees as yaml.SafeLoader's, in a tenth of the time where libyaml is there.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ConfigError(ValueError):
    """The config cannot be used; the message says why, one sentence a line."""


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys of a YAML file.

    Raises:
        ConfigError: if it cannot be read, is no YAML, holds no keys, or holds one twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
        twice = _twice(yaml.compose(text, Loader=_LOADER), "", set())
        found = yaml.load(text, Loader=_LOADER)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if twice:
        raise ConfigError("\n".join(f"{path}: {sentence}" for sentence in twice))
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no keys; allowed are those of config.yaml")
    return found


def _twice(node: yaml.Node | None, above: str, seen: set[int]) -> list[str]:
    """A sentence for every key that a mapping holds more than once."""
    if node is None or id(node) in seen or isinstance(node, yaml.ScalarNode):
        return []
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [found for value in node.value for found in _twice(value, above, seen)]
    lines: dict[str, int] = {}
    sentences = []
    for key, value in node.value:
        name, line = f"{above}{key.value}", key.start_mark.line + 1
        if name in lines:
            sentences.append(f"{name} is in lines {lines[name]} and {line}; a key may occur once")
        lines[name] = line
        sentences += _twice(value, f"{name}.", seen)
    return sentences
