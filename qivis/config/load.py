"""YAML files become typed settings, and what does not fit the schema is refused.

A config is data: it is read by YAML's safe loader and nothing in it runs. mmengine's reader would
execute `.py` files and build any object that a YAML tag names, so `_base_` is merged here.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from qivis.config.schema import ExperimentConfig
from qivis.config.typed import Place, build, cast, typed_fields
from qivis.errors import ConfigError

BASE = "_base_"
MAX_BASE_LEVELS = 2  # with more, nobody finds where a value comes from


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read a config file together with the files that it builds upon.

    Args:
        path: a `.yaml` file. Its key `_base_` names a file, or a list of files, relative to it,
            whose settings it changes; of several, later ones win.
        overrides: `section.field=value` each, the value written as in YAML; they win over the file.

    Raises:
        ConfigError: naming the file or the override, the field, what was expected and what came.
    """
    fields = _read(Path(path), chain=())
    for override in overrides:
        fields = _merge(fields, _parse_override(override))
    return build(ExperimentConfig, fields, Place(str(path)))


def _read(path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    """The typed fields of a file over those of its bases; `chain` leads from the first file."""
    chain = (*chain, path.resolve())
    names = " -> ".join(file.name for file in chain)
    if chain[-1] in chain[:-1]:
        raise ConfigError(f"{path}: {BASE} goes in a circle: {names}")
    if len(chain) > MAX_BASE_LEVELS + 1:
        raise ConfigError(f"{path}: {BASE} goes more than {MAX_BASE_LEVELS} levels deep: {names}")
    place = Place(str(path))
    content = _read_yaml(path)
    bases = content.pop(BASE, [])
    bases = [bases] if isinstance(bases, str) else cast(tuple[str, ...], bases, place.field(BASE))
    merged: dict[str, Any] = {}
    for base in bases:
        merged = _merge(merged, _read(path.parent / base, chain))
    return _merge(merged, typed_fields(ExperimentConfig, content, place))


def _read_yaml(path: Path) -> dict[str, Any]:
    if path.suffix not in {".yaml", ".yml"}:
        raise ConfigError(f"{path}: expected a .yaml file; configs are data, programs are refused")
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    content = _parse_yaml(text, source=str(path))
    if not isinstance(content, dict | None):
        raise ConfigError(f"{path}: expected a mapping such as 'model: ...', got {content!r}")
    return content or {}


def _parse_override(override: str) -> dict[str, Any]:
    source = f"override {override!r}"
    name, equals, text = override.partition("=")
    if not (name and equals):
        raise ConfigError(f"{source}: expected section.field=value, as in optim.epochs=24")
    values = _parse_yaml(text, source)
    for key in reversed(name.strip().split(".")):
        values = {key: values}
    return typed_fields(ExperimentConfig, values, Place(source))


def _parse_yaml(text: str | bytes, source: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML ({' '.join(str(error).split())})") from error


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`new` over `old`: sections are merged field by field, everything else is replaced."""
    merged = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


class _Loader(yaml.SafeLoader):
    """The safe loader, made to read 1e-4 as a number and to refuse a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                message = f"{key!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)
        return super().construct_mapping(node, deep)


# PyYAML follows YAML 1.1, for which 1e-4 is a string because it has no dot.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)
