"""YAML files become typed settings, and what does not fit the schema is refused.

A config is data: it is read by YAML's safe loader and nothing in it runs. mmengine's reader would
execute `.py` files and build any object that a YAML tag names, so `_base_` is merged here. Whatever
is in a file, reading it takes no more time and memory than a file of its size should.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from qivis.config.schema import ExperimentConfig
from qivis.config.typed import Place, build, cast, shown, typed_fields
from qivis.errors import ConfigError

BASE = "_base_"
MAX_BASE_LEVELS = 2  # with more, nobody finds where a value comes from
MAX_BASES = 10  # of one file
MAX_BYTES = 100_000  # the largest config of the project has 2,000


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
    try:
        chain = (*chain, path.resolve())
    except (OSError, RuntimeError) as error:  # links that lead to one another
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    names = " -> ".join(file.name for file in chain)
    if chain[-1] in chain[:-1]:
        raise ConfigError(f"{path}: {BASE} goes in a circle: {names}")
    if len(chain) > MAX_BASE_LEVELS + 1:
        raise ConfigError(f"{path}: {BASE} goes more than {MAX_BASE_LEVELS} levels deep: {names}")
    place = Place(str(path))
    content = _read_yaml(path)
    bases = content.pop(BASE, [])
    bases = [bases] if isinstance(bases, str) else cast(tuple[str, ...], bases, place.field(BASE))
    if len(bases) > MAX_BASES:
        raise ConfigError(f"{path}: {BASE} names {len(bases)} files, more than {MAX_BASES}")
    merged: dict[str, Any] = {}
    for base in bases:
        if not base.isprintable():
            raise ConfigError(f"{path}: {BASE}: expected the name of a file, got {shown(base)}")
        merged = _merge(merged, _read(path.parent / base, chain))
    return _merge(merged, typed_fields(ExperimentConfig, content, place))


def _read_yaml(path: Path) -> dict[str, Any]:
    if path.suffix not in {".yaml", ".yml"}:
        raise ConfigError(f"{path}: expected a .yaml file; configs are data, programs are refused")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{path}: too long for a config, more than {MAX_BYTES:,} bytes")
    content = _parse_yaml(text, source=str(path))
    if not isinstance(content, dict | None):
        raise ConfigError(f"{path}: expected a mapping such as 'model: ...', got {shown(content)}")
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
    except RecursionError as error:
        raise ConfigError(f"{source}: not a config, too deeply nested") from error
    # Of values that a tag or their look promises to be something else, PyYAML raises all of these.
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"{source}: not valid YAML ({' '.join(str(error).split())})") from error


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`new` over `old`: sections are merged field by field, everything else is replaced."""
    merged = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


class _Loader(yaml.SafeLoader):
    """The safe loader, made to read 1e-4 as a number, without aliases and keys given twice."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse aliases: a few lines of aliases of aliases stand for billions of values."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            message = "aliases such as *name are not read; write the value out"
            raise yaml.composer.ComposerError(None, None, message, mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key, _ in node.value:
            if isinstance(key.value, str) and key.value in keys:
                message = f"{key.value!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)
            keys.add(str(key.value))
        return super().construct_mapping(node, deep)


# PyYAML follows YAML 1.1, for which 1e-4 is a string because it has no dot.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)
