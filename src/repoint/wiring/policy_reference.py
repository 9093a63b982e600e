"""The reference page of policy files, from the models that read them."""

from __future__ import annotations

import json
from datetime import timedelta
from enum import StrEnum
from types import NoneType
from typing import Final, get_args

from pydantic.fields import FieldInfo

from repoint.domain.durations import written
from repoint.wiring import trigger_model
from repoint.wiring.policy_model import SECTIONS, BridgeSection, PolicyFile, ReadinessSection
from repoint.wiring.spec_model import Section

_KINDS: Final = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    timedelta: "duration",
}

_TOP: Final = """# Policies

A policy file is YAML 1.2. The shortest one is

```yaml
gates: [{gate: relevance}]
```

Everything left out takes the default below, and `repoint policy show` writes all of them out.
Unknown keys, keys that stand twice and tags are refused. Where no policy was set, version 0
counts: the gates `relevance`, `index-recall` and `empty-answers`, each with its defaults, no
trigger, and no drill that a promotion asks for.

A duration is a number with its unit: `90s`, `15m`, `24h`, `7d`. A mistake is named with its
file, line and field.
"""

_TRIGGERS: Final = """## triggers

`repoint guard` gives every trigger one of four outcomes at each look: `pass`, `fail`,
`inconclusive` (too little to tell, or over the limit and chance may have done it), `error`
(what it asks did not answer). One that fails does what it declares in `then`. Figures of
samples fail only when chance is ruled out over all looks together, to `guard.false_alarm`. A
trigger of `served` questions looks at repoint's own telemetry.
"""


def policy_reference() -> str:
    """Return the reference page of policy files as Markdown."""
    parts = [_TOP, _table("Top level", "", PolicyFile)]
    for section in SECTIONS:
        (name,) = get_args(section.model_fields["gate"].annotation)
        parts.append(_table(f"gate: {name}", f"{section.__doc__}\n", section))
    for title, section in (
        ("bridge", BridgeSection),
        ("readiness", ReadinessSection),
        ("guard", trigger_model.GuardSection),
    ):
        parts.append(_table(title, f"{section.__doc__}\n", section))
    parts.append(_TRIGGERS)
    for section in trigger_model.SECTIONS:
        (name,) = get_args(section.model_fields["trigger"].annotation)
        parts.append(_table(f"trigger: {name}", f"{section.__doc__}\n", section))
    return "\n".join(parts)


def _table(title: str, intro: str, section: type[Section]) -> str:
    rows = [
        f"| `{name}` | {_takes(field)} | {_default(field)} | {field.description or ''} |"
        for name, field in section.model_fields.items()
        if name not in {"gate", "trigger"}
    ]
    lines = ["| key | takes | default | meaning |", "|---|---|---|---|", *rows]
    intro = f"{intro}\n" if intro else ""
    return f"## {title}\n\n{intro}" + "\n".join(lines) + "\n"


def _takes(field: FieldInfo) -> str:
    annotation = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    for kind in (annotation, *get_args(annotation)):
        # A number with bounds is annotated within a union: its first argument is the number.
        plain = next(iter(get_args(kind)), kind) if kind not in _KINDS else kind
        if plain in _KINDS and plain is not NoneType:
            return _KINDS[plain] + (" or null" if NoneType in get_args(annotation) else "")
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    if any(issubclass(kind, Section) for kind in kinds):
        return "keys with values" + (" or null" if NoneType in kinds else "")
    return "names with texts" if field.default_factory is dict else "a list"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, timedelta):
        return f"`{written(default)}`"
    if isinstance(default, Section):
        return "each its own"
    return f"`{json.dumps(default)}`"
