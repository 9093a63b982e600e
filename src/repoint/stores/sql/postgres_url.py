"""Where a PostgreSQL store is: read from a URL, and said without its password."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from repoint.domain.errors import BadInputError

SCHEMES: Final = frozenset({"postgresql", "postgres"})
#: Parameters of a connection string that are secrets.
_SECRET: Final = frozenset({"password", "sslpassword", "passfile", "oauth_client_secret"})
_HINT: Final = "write for instance postgresql://user@host:5432/database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A database, and how it is named where people read it."""

    #: For the driver. May hold a password: never print it.
    url: str = field(repr=False)
    #: The same without secrets.
    shown: str
    #: What must not be seen in any message.
    secrets: tuple[str, ...] = field(repr=False)

    def cleaned(self, text: str) -> str:
        """Return the text with the secrets blotted out."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def place(url: str) -> Place:
    """Return the place that the URL names.

    Raises:
        BadInputError: it is no URL of a PostgreSQL database; the error does not repeat it.
    """
    try:
        parts = urlsplit(url.strip())
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as problem:
        raise BadInputError("the store's URL cannot be read", hint=_HINT) from problem
    if parts.scheme not in SCHEMES or parts.fragment:
        raise BadInputError("the store's URL is none of a PostgreSQL database", hint=_HINT)
    credentials, at, server = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    kept = [(key, value) for key, value in query if key not in _SECRET]
    secrets = {value for key, value in query if key in _SECRET} | {unquote(password)}
    shown = SplitResult(
        parts.scheme,
        f"{user}{at}{server}" if user else server,
        parts.path,
        urlencode(kept, quote_via=quote, safe="/"),
        "",
    )
    return Place(
        url=url.strip(),
        shown=_joined(shown),
        secrets=tuple(sorted({*secrets, *map(quote, secrets)} - {""}, key=len, reverse=True)),
    )


def _joined(parts: SplitResult) -> str:
    """Return the URL with its two slashes, even where no server is named."""
    if parts.netloc:
        return urlunsplit(parts)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.path}{query}"
