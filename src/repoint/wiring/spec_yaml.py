"""YAML 1.2 to plain values that know their lines, for release specs.

Nothing in a file can make an object: only text, numbers, booleans, null, lists and mappings
are read. A key that stands twice is refused, where most readers would drop one silently.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter

from repoint.domain.errors import BadSpecError

#: What a spec file can hold.
Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
#: Where something stands: the keys and list positions that lead to it.
Place: TypeAlias = tuple[str | int, ...]

#: Characters of a spec file, the prompt included.
MAX_LENGTH: Final = 1_000_000
#: Values in a spec file after anchors are resolved: a bound on what a few lines can unfold to.
_MAX_VALUES: Final = 10_000
_KINDS: Final = {
    "str": "Unicode text",
    "timestamp": "Unicode text",
    "int": "whole number",
    "float": "number",
    "bool": "boolean",
}
_TAG: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lined:
    """Values of a file and the line, from 1, at which each begins."""

    values: Plain
    lines: Mapping[Place, int]


def read_yaml(text: str, *, source: str) -> Lined:
    """Return what the text holds.

    Raises:
        BadSpecError: it is too long, no YAML, more than one document, or holds what a spec
            never holds: tags, keys that are no text, a key twice.
    """
    if len(text) > MAX_LENGTH:
        raise BadSpecError(
            source=source, field="", why=f"longer than {MAX_LENGTH:,} characters"
        )
    reader = _Reader(source)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        values = None if node is None else reader.plain(node, ())
    except RecursionError as error:
        raise BadSpecError(source=source, field="", why="nested too deeply") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadSpecError(
            source=source,
            field="",
            line=mark.line + 1 if mark is not None else None,
            why=f"no YAML: {error.problem or error.context}",
            hint="text with : # { } [ ] or a leading quote stands in quotes",
        ) from error
    except YAMLError as error:
        raise BadSpecError(
            source=source, field="", why=f"no YAML: {str(error).splitlines()[0]}"
        ) from error
    return Lined(values=values, lines=reader.lines)


def write_yaml(values: object) -> str:
    """Return the values as YAML, in their order, one a line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as None
    yaml.width = 10_000
    stream = io.StringIO()
    yaml.dump(values, stream)
    return stream.getvalue()


class _Representer(SafeRepresenter):
    """Quotes text with line ends of any kind, which block and plain style would fold."""

    def represent_str(self, data: str) -> ScalarNode:
        style = None if data.isprintable() else '"'
        node: ScalarNode = self.represent_scalar(_TAG + "str", data, style=style)
        return node


_Representer.add_representer(str, _Representer.represent_str)


class _Reader:
    """Turns nodes into values and remembers their lines."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._left = _MAX_VALUES
        self._around: set[int] = set()
        self._scalars = YAML(typ="safe", pure=True).constructor
        self.lines: dict[Place, int] = {}

    def plain(self, node: Node, path: Place) -> Plain:
        self.lines.setdefault(path, _line(node))
        self._left -= 1
        if self._left < 0 or id(node) in self._around:
            raise self._bad(node, path, "its anchors unfold to more than a spec can hold")
        self._around.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
                items = enumerate(node.value)
                return [self.plain(item, (*path, number)) for number, item in items]
            return self._scalar(node, path)
        finally:
            self._around.discard(id(node))

    def _mapping(self, node: MappingNode, path: Place) -> dict[str, Plain]:
        if node.tag != _TAG + "map":
            raise self._bad(node, path, f"a spec holds no {node.tag}")
        found: dict[str, Plain] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode) or key.tag not in {_TAG + "str", _TAG + "merge"}:
                raise self._bad(key, path, "a key is text; put it in quotes")
            name = str(key.value)
            here = (*path, name)
            if name in found:
                before = self.lines[here]
                raise self._bad(key, here, f"stands twice, first in line {before}")
            self.lines[here] = _line(key)
            found[name] = self.plain(value, here)
        return found

    def _scalar(self, node: Node, path: Place) -> Plain:
        kind = str(node.tag).removeprefix(_TAG) if isinstance(node, ScalarNode) else ""
        try:
            match kind:
                case "str" | "timestamp":  # a revision may look like a date, and stays text
                    node.value.encode()  # fails on half of a surrogate pair
                    return str(node.value)
                case "int":
                    return int(self._scalars.construct_yaml_int(node))
                case "float":
                    return float(self._scalars.construct_yaml_float(node))
                case "bool":
                    return bool(self._scalars.construct_yaml_bool(node))
                case "null":
                    return None
                case _:
                    pass
        except (ValueError, KeyError, IndexError) as error:
            raise self._bad(node, path, f"{node.value!r} is no {_KINDS[kind]}") from error
        raise self._bad(node, path, f"a spec holds no {node.tag}; leave the tag out")

    def _bad(self, node: Node, path: Place, why: str) -> BadSpecError:
        return BadSpecError(source=self._source, line=_line(node), field=dotted(path), why=why)


def dotted(path: Place) -> str:
    """Return a place as people write it: ``text.steps[2]``."""
    names = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(names).removeprefix(".")


def _line(node: Node) -> int:
    mark = node.start_mark
    return int(mark.line) + 1 if mark is not None else 1
