"""The workspace's configuration file, ``repoint.toml``."""

from __future__ import annotations

import json
import os
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from repoint.domain.errors import BadSpecError
from repoint.ports.settings import Option
from repoint.wiring.mistakes import plainly

CONFIG_FILE: Final = "repoint.toml"

_HEADER: Final = "# This folder is a repoint workspace. Every setting and its default.\n"
_EXAMPLE: Final = """
# A database of your own; a spec names it: `backend: prod`. See: repoint backends
# [backends.prod]
# kind = "pgvector"
# url_env = "SEARCH_DATABASE_URL"

# A language model that judges or makes answers: repoint evaluate --judge NAME
# [chat.NAME]
# url = "https://api.openai.com/v1"
# model = "…"
# api_key_env = "OPENAI_API_KEY"

# Who may use `repoint serve`, and the SHA-256 of their keys: repoint serve --new-key NAME
# [http_keys]
# shop = "…"
"""


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


_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


class ProbesConfig(BaseModel):
    """When query models are probed, and what follows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: str = Field(
        "10m",
        pattern="^[0-9]{1,6}[smh]$",
        description="How often a serving process probes its query models: `30s`, `10m`, `1h`; "
        "`0s` is never.",
    )
    on_drift: str = Field(
        "warn",
        pattern="^(warn|stop)$",
        description="What an index whose query model drifted does: `warn` answers on, `stop` "
        "answers no more until the model is as it was.",
    )

    @property
    def interval(self) -> timedelta:
        """The time between two probings."""
        return timedelta(seconds=int(self.every[:-1]) * _UNITS[self.every[-1]])


#: Parameters of a URL that open the door.
_SECRETS: Final = frozenset({"password", "api_key", "apikey", "token", "key"})

_VARIABLE: Final = "^([A-Za-z_][A-Za-z0-9_]*)?$"


def _holds_password(url: str) -> bool:
    parts = urlsplit(url)
    named = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    return bool(parts.password) or bool(named & _SECRETS)


class BackendConfig(BaseModel):
    """One backend of a workspace: ``[backends.NAME]``."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str = Field(min_length=1, description="Its kind: `lancedb`, `pgvector` …")
    url: str = Field("", description="Where its server is; without a password.")
    url_env: str = Field(
        "", pattern=_VARIABLE, description="Environment variable with the URL, in its place."
    )
    api_key_env: str = Field(
        "", pattern=_VARIABLE, description="Environment variable with the key."
    )
    alias_prefix: str = Field(
        "",
        pattern="^[A-Za-z0-9_.-]{0,32}$",
        description="Put before an index's name to make the database's alias for it.",
    )
    application_role: str = Field(
        "",
        description="The database's role that applications search with; a promotion is "
        "refused while it lacks a grant. For kinds that can say who may do what.",
    )
    application_key_env: str = Field(
        "",
        pattern=_VARIABLE,
        description="Environment variable with the key that applications search with, for "
        "kinds whose server is asked by it what they may do: `opensearch`.",
    )
    options: dict[str, Option] = Field(
        default_factory=dict,
        description="The kind's own settings: `[backends.NAME.options]`.",
    )

    @model_validator(mode="after")
    def _has_one_url(self) -> Self:
        if _holds_password(self.url):
            message = (
                "the url holds a password: leave the url out, and name an environment variable "
                "that holds it: url_env"
            )
            raise ValueError(message)
        if self.url and self.url_env:
            message = "give url or url_env, not both"
            raise ValueError(message)
        return self


class ChatConfig(BaseModel):
    """A language model behind an OpenAI-compatible server: ``[chat.NAME]``."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = Field(
        pattern="^https?://[^/]",
        description="The server's base URL, with `/v1` where it has it; without a key.",
    )
    model: str = Field(min_length=1, description="The model's name there.")
    api_key_env: str = Field(
        "", pattern=_VARIABLE, description="Environment variable with the key."
    )
    timeout_seconds: float = Field(
        60.0, gt=0, le=600, description="How long the server may say nothing."
    )
    attempts: int = Field(
        4, ge=1, le=20, description="Times that a question is asked before it fails."
    )
    patience_seconds: float = Field(
        20.0, ge=0, le=600, description="The longest wait between two of them."
    )
    parallel: int = Field(4, ge=1, le=64, description="Questions at the same time.")
    max_tokens: int = Field(
        0, ge=0, description="The most tokens of a reply; 0 leaves it to the server."
    )
    reply_form: str = Field(
        "json_object",
        pattern="^(json_object|text)$",
        description="How verdicts are asked for: `text` for servers without `json_object`.",
    )
    passage_characters: int = Field(
        8000, ge=200, le=1_000_000, description="Characters of each passage that are sent."
    )

    @model_validator(mode="after")
    def _has_no_secret(self) -> Self:
        if _holds_password(self.url):
            message = "the url holds a secret: name an environment variable in api_key_env"
            raise ValueError(message)
        return self


class HttpConfig(BaseModel):
    """How ``repoint serve`` listens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(
        "127.0.0.1",
        description="Where `repoint serve` listens; beyond this machine it needs `http_keys`.",
    )
    port: int = Field(8765, ge=0, le=65535, description="Its port; 0 takes a free one.")
    most_waiting: int = Field(
        1000, ge=1, le=100_000, description="How many clients may wait for a change at once."
    )
    longest_wait_seconds: float = Field(
        60.0, ge=1, le=600, description="How long one request may wait for a change."
    )


KeyName = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_.@-]{0,62}$")]
KeyDigest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
BackendName = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9_.-]{0,62}$")]


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
    http: HttpConfig = Field(HttpConfig(), description="The HTTP server.")
    http_keys: dict[KeyName, KeyDigest] = Field(
        default_factory=dict,
        description="SHA-256 of each API key, by the name of whoever acts with it.",
    )
    probes: ProbesConfig = Field(ProbesConfig(), description="Probing of the query models.")
    backends: dict[BackendName, BackendConfig] = Field(
        default_factory=dict, description="Backends by the name that specs give them."
    )
    chat: dict[BackendName, ChatConfig] = Field(
        default_factory=dict,
        description="Language models that judge or make answers, by name.",
    )

    @model_validator(mode="after")
    def _leaves_lexical_alone(self) -> Self:
        if "lexical" in self.chat:
            message = "`lexical` is the judge that every workspace has: take another name"
            raise ValueError(message)
        return self

    @property
    def tombstone_retention(self) -> timedelta:
        """The retention as a duration."""
        return timedelta(days=self.tombstone_retention_days)

    @property
    def lease(self) -> timedelta:
        """The lease as a duration."""
        return timedelta(seconds=self.lease_seconds)


#: What texts must look like, for people.
_FORMS: Final = {
    "kind": "sqlite or postgres",
    "every": "a number with s, m or h, as in 10m",
    "on_drift": "warn or stop",
    "url_env": "the name of an environment variable",
    "api_key_env": "the name of an environment variable; never write the key itself here",
    "url": "an http:// or https:// address",
    "reply_form": "json_object or text",
    "alias_prefix": "at most 32 letters, digits, dots, dashes and underscores",
    "[key]": "a letter, then at most 62 letters, digits, dots, dashes and underscores",
}


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
        why = plainly(first, forms=_FORMS)
        raise BadSpecError(source=str(path), field=field, why=why) from error


def write_config(path: Path, config: Config) -> None:
    """Write every setting with its value and what it means."""
    lines = [_HEADER]
    tables: list[str] = []
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, dict):
            continue  # a table for each; there is none that everybody needs
        if isinstance(value, BaseModel):
            tables += [f"\n# {field.description}\n[{name}]\n"]
            tables += [
                f"{key} = {json.dumps(item)}\n" for key, item in value.model_dump().items()
            ]
        else:
            lines += [f"\n# {field.description}\n", f"{name} = {json.dumps(value)}\n"]
    path.write_text("".join([*lines, *tables, _EXAMPLE]), encoding="utf-8")


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
