"""The workspace's configuration file, ``repoint.toml``."""

from __future__ import annotations

import json
import os
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from repoint.domain.errors import BadSpecError

CONFIG_FILE: Final = "repoint.toml"

_HEADER: Final = "# This folder is a repoint workspace. Every setting and its default.\n"


class StoreConfig(BaseModel):
    """Where the control store is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = Field(
        "sqlite",
        pattern="^(sqlite|postgres)$",
        description="The control store's kind: `sqlite` or `postgres`.",
    )
    file: str = Field(
        "control.db", description="The file of `sqlite`, relative to the workspace."
    )
    url: str = Field(
        "",
        description="The database of `postgres`; no password belongs here: "
        "`REPOINT_STORE_URL` takes its place.",
    )
    schema_name: str = Field(
        "repoint", description="The schema of that database which holds the tables."
    )


class Config(BaseModel):
    """Settings of a workspace; a missing one has its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(1, ge=1, le=1, description="Version of this file's shape.")
    store: StoreConfig = Field(StoreConfig(), description="The control store.")
    collections: str = Field(
        "collections", description="Folder of the embedded backends' collections."
    )
    evidence: str = Field("evidence", description="Folder of the evidence files.")
    tombstone_retention_days: float = Field(
        7.0,
        ge=0.05,
        le=3650,
        description="How long a worker keeps tombstones that every live release has passed.",
    )
    lease_seconds: float = Field(
        10.0,
        ge=1,
        le=600,
        description="How long a process may answer without confirming its routes.",
    )

    @property
    def tombstone_retention(self) -> timedelta:
        """The retention as a duration."""
        return timedelta(days=self.tombstone_retention_days)

    @property
    def lease(self) -> timedelta:
        """The lease as a duration."""
        return timedelta(seconds=self.lease_seconds)


def read_config(path: Path) -> Config:
    """Return the settings of a file.

    Raises:
        BadSpecError: it is no TOML, or a setting is unknown or out of bounds.
    """
    try:
        return Config.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSpecError(source=str(path), field="", why=str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadSpecError(source=str(path), field=field, why=first["msg"]) from error


def write_config(path: Path, config: Config) -> None:
    """Write every setting with its value and what it means."""
    lines = [_HEADER]
    tables: list[str] = []
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            tables += [f"\n# {field.description}\n[{name}]\n"]
            tables += [
                f"{key} = {json.dumps(item)}\n" for key, item in value.model_dump().items()
            ]
        else:
            lines += [f"\n# {field.description}\n", f"{name} = {json.dumps(value)}\n"]
    path.write_text("".join(lines + tables), encoding="utf-8")


def write_store(path: Path, store: StoreConfig) -> None:
    """Put another table ``[store]`` into the file, at once or not at all; the rest stays.

    Raises:
        BadSpecError: the file cannot be read, before and after.
    """
    read_config(path)
    kept: list[str] = []
    within = False
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.lstrip().startswith("["):
            within = line.split("#")[0].strip() == "[store]"
        if not within:
            kept.append(line)
    table = "".join(f"{key} = {json.dumps(item)}\n" for key, item in store.model_dump().items())
    new = path.with_suffix(".new")
    new.write_text(f"{''.join(kept).rstrip()}\n\n[store]\n{table}", encoding="utf-8")
    if read_config(new).store != store:
        raise BadSpecError(source=str(path), field="store", why="it cannot be replaced")
    with new.open("rb") as written:
        os.fsync(written.fileno())
    new.replace(path)
