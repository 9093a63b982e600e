"""Rendered configurations: the route in a file, for what is deployed anew to follow it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from repoint.domain.document import Json
from repoint.domain.ids import Actor, Epoch, IndexName, ReleaseName

#: Before the name of every variable.
PREFIX: Final = "REPOINT_ROUTE_"


class RenderFormat(StrEnum):
    """How a route is written into a file."""

    JSON = "json"
    YAML = "yaml"
    ENV = "env"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A file that holds a route, as it was when its reader was last told of it."""

    index: IndexName
    #: The machine that it is on.
    host: str
    #: From the root of that machine.
    path: str
    format: RenderFormat
    release: ReleaseName
    epoch: Epoch
    #: SHA-256 of the file.
    digest: str
    actor: Actor
    at: datetime


def variables(tree: dict[str, Json]) -> dict[str, str]:
    """Return a route as environment variables; lists and objects in them are JSON.

    The query model's fields have variables of their own.
    """
    flat: dict[str, Json] = {}
    for name, value in tree.items():
        if name == "model" and isinstance(value, dict):
            flat.update({f"model_{part}": item for part, item in value.items()})
        else:
            flat[name] = value
    return {f"{PREFIX}{name.upper()}": _written(value) for name, value in flat.items()}


def _written(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
