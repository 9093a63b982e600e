"""What a workspace says about one of its backends, as its driver is given it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

#: What an option of a driver's own may be.
Option: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSettings:
    """One backend's settings, every secret already read from its environment variable."""

    #: The name that specs give it.
    name: str
    #: Its folder within the workspace; not made before something is put there.
    folder: Path
    #: Where its server is; empty where it has none. May hold a password: never print it.
    url: str = field(default="", repr=False)
    #: What opens the server; empty where nothing is needed. Never print it.
    api_key: str = field(default="", repr=False)
    #: The role that applications search with; empty where nobody said.
    application_role: str = ""
    #: What opens the server for applications; empty where nobody said. Never print it.
    application_key: str = field(default="", repr=False)
    #: The driver's own settings.
    options: Mapping[str, Option] = field(default_factory=dict)
