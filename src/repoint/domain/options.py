"""Reading a driver's options by name and type, so that a misspelt one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from repoint.domain.errors import BadSpecError

#: What an option in a spec may hold.
OptionValue: TypeAlias = str | int | float | bool


class Options:
    """A spec's options on their way into one driver.

    Read every option that the driver knows, then call ``finish``: whatever nobody asked
    for is an error, because an option that is ignored changes no vector and says so to
    nobody.
    """

    def __init__(self, given: Mapping[str, OptionValue], *, source: str) -> None:
        self._given = given
        self._source = source
        self._known: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """Return an option that is text."""
        value = self._take(name, default)
        if not isinstance(value, str):
            raise self._bad(name, f"{value!r} is no text")
        return value

    def integer(self, name: str, default: int, *, least: int | None = None) -> int:
        """Return an option that is a whole number, not below the least."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._bad(name, f"{value!r} is no whole number")
        if least is not None and value < least:
            raise self._bad(name, f"{value} is below {least}")
        return value

    def number(
        self,
        name: str,
        default: float,
        *,
        above: float | None = None,
        most: float | None = None,
    ) -> float:
        """Return an option that is a number, greater than the one bound, up to the other."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._bad(name, f"{value!r} is no number")
        if above is not None and not value > above:
            raise self._bad(name, f"{value} is not above {above:g}")
        if most is not None and not value <= most:
            raise self._bad(name, f"{value} is above {most:g}")
        return float(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return an option that is true or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self._bad(name, f"{value!r} is neither true nor false")
        return value

    def finish(self) -> None:
        """Refuse what no one asked for.

        Raises:
            BadSpecError: an option is unknown to the driver.
        """
        for name in self._given:
            if name not in self._known:
                known = ", ".join(sorted(self._known)) or "none"
                raise self._bad(name, "no such option", hint=f"options: {known}")

    def _take(self, name: str, default: OptionValue) -> OptionValue:
        self._known.append(name)
        return self._given.get(name, default)

    def _bad(self, name: str, why: str, *, hint: str = "") -> BadSpecError:
        return BadSpecError(source=self._source, field=f"options.{name}", why=why, hint=hint)
