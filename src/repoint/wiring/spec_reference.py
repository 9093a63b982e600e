"""The reference page and the JSON schema of spec files, from the models that read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, get_args, get_origin

from pydantic.fields import FieldInfo

from repoint.wiring.spec_model import Section, SpecFile, section_of
from repoint.wiring.spec_yaml import Plain

_KINDS: Final[Mapping[object, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    tuple: "list of text",
    dict: "mapping",
    type(None): "null",
}

_TOP: Final = """# Release specs

A spec file is YAML 1.2. The shortest one is

```yaml
model: {provider: hashing, dimensions: 64}
```

Everything left out takes the default below, and `repoint release show` writes all of them out.
Unknown keys, keys that stand twice and tags are refused.
"""


def spec_reference() -> str:
    """Return the reference page of spec files as Markdown."""
    parts = [_TOP, _table("Top level", "", SpecFile)]
    for name, field in SpecFile.model_fields.items():
        section = section_of(field)
        if section is not None:
            parts.append(_table(name, f"{section.__doc__}\n", section))
    return "\n".join(parts)


def spec_schema() -> dict[str, Plain]:
    """Return the JSON schema of spec files, for editors."""
    schema: dict[str, Plain] = SpecFile.model_json_schema()
    # The short form that the validator takes and the type does not show.
    properties = schema["properties"]
    if isinstance(properties, dict) and isinstance(properties["hybrid"], dict):
        kinds = properties["hybrid"]["anyOf"]
        if isinstance(kinds, list):
            kinds.append({"type": "boolean"})
    return schema


def _table(title: str, intro: str, section: type[Section]) -> str:
    rows = [
        f"| `{name}` | {_takes(name, field)} | {_default(field)} | {_meaning(field)} |"
        for name, field in section.model_fields.items()
    ]
    lines = ["| key | takes | default | meaning |", "|---|---|---|---|", *rows]
    intro = f"{intro}\n" if intro else ""
    return f"## {title}\n\n{intro}" + "\n".join(lines) + "\n"


def _takes(name: str, field: FieldInfo) -> str:
    if section_of(field) is not None:
        return f"[a section](#{name})"
    kinds = get_args(field.annotation) if type(None) in get_args(field.annotation) else ()
    return " or ".join(map(_kind, kinds or (field.annotation,)))


def _kind(annotation: object) -> str:
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    return _KINDS[get_origin(annotation) or annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Section):
        return "its defaults"
    return f"`{json.dumps(value)}`"


def _meaning(field: FieldInfo) -> str:
    section = section_of(field)
    text = field.description or (section.__doc__ if section is not None else "") or ""
    return text.splitlines()[0].removesuffix(".").replace("|", "\\|")
