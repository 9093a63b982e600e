"""The backends of a workspace: their settings, and what is said of each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from repoint.domain.errors import MissingSettingError, RepointError
from repoint.ports.backend import Capabilities
from repoint.ports.settings import BackendSettings
from repoint.wiring.config import BackendConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBackend:
    """A backend that a spec may name, and whether it can be used here."""

    name: str
    kind: str
    #: ``repoint.toml`` has a table for it; else it is a kind with nothing but defaults.
    configured: bool
    #: As it was written, without a password; empty where it is in an environment variable.
    url: str
    alias_prefix: str
    #: None where it cannot be used: see ``problem``.
    capabilities: Capabilities | None
    problem: RepointError | None


def settings_of(name: str, config: BackendConfig | None, *, folder: Path) -> BackendSettings:
    """Return what a driver is given, with secrets read from the environment.

    Raises:
        MissingSettingError: a variable that the configuration names is not set.
    """
    if config is None:
        return BackendSettings(name=name, folder=folder)
    return BackendSettings(
        name=name,
        folder=folder,
        url=_secret(name, "url_env", config.url_env) or config.url,
        api_key=_secret(name, "api_key_env", config.api_key_env),
        application_role=config.application_role,
        application_key=_secret(name, "application_key_env", config.application_key_env),
        options=dict(config.options),
    )


def redacted(url: str) -> str:
    """Return a URL without the user and password that may stand in it, and its query."""
    parts = urlsplit(url)
    if not parts.scheme:
        return "(hidden)" if url else ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _secret(backend: str, setting: str, variable: str) -> str:
    if not variable:
        return ""
    value = os.environ.get(variable, "")
    if not value:
        raise MissingSettingError(
            backend=backend,
            setting=setting,
            why=f"the environment variable {variable} is not set",
        )
    return value
