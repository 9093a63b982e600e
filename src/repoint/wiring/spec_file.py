"""Release specs as files: reading them with every default written out, and writing them.

Whatever is wrong with a file is a ``BadSpecError`` that names the file, the line, the field
and what to write instead. Values are not repeated in errors where they may be secret.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from repoint.domain.errors import BadSpecError
from repoint.domain.spec import ReleaseSpec, as_tree
from repoint.text.steps import STEPS
from repoint.wiring import spec_yaml
from repoint.wiring.spec_model import SpecFile, section_of
from repoint.wiring.spec_yaml import Lined, Place, dotted, read_yaml, write_yaml

_SHORTEST: Final = "model: {provider: hashing, dimensions: 64}"

#: What a value should have been, by pydantic's name for the error.
_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "tuple_type": "a list",
}
_HINTS: Final[Mapping[str, str]] = {
    "string_type": "put it in quotes",
    "tuple_type": "write for instance: [strip_html, unicode_nfc]",
}


def load_spec(origin: Path | str, *, source: str = "spec") -> ReleaseSpec:
    """Return the spec in a file, or in a text that ``source`` names in errors.

    A spec that leaves the dimensions to the model has 0 there, and a local model's digest is
    empty: ``operations.releases.complete`` fills them in once the model is open.

    Raises:
        BadSpecError: it cannot be read; the error says where and what to write.
    """
    if isinstance(origin, Path):
        source = str(origin)
        origin = _text(origin)
    lined = read_yaml(origin, source=source)
    if not isinstance(lined.values, dict):
        raise BadSpecError(
            source=source,
            field="",
            line=None if lined.values is None else 1,
            why="empty" if lined.values is None else "a spec is keys with values",
            hint=f"the shortest spec: {_SHORTEST}",
        )
    try:
        file = SpecFile.model_validate(lined.values)
    except ValidationError as error:
        raise _explained(error, lined, source=source) from error
    for number, step in enumerate(file.text.steps):
        if step not in STEPS:
            place = ("text", "steps", number)
            raise BadSpecError(
                source=source,
                line=lined.lines[place],
                field=dotted(place),
                why=f"there is no step {step!r}",
                hint=_suggestion(step, list(STEPS), "steps"),
            )
    return file.spec()


def located(error: BadSpecError, origin: Path | str, *, source: str = "spec") -> BadSpecError:
    """Return the error of a driver about its options with the file, line and field they have.

    A driver sees its own options and no file; any other error is returned as it is.
    """
    if error.line is not None or not error.field.startswith("options."):
        return error
    if isinstance(origin, Path):
        source = str(origin)
        origin = _text(origin)
    section = "rerank" if error.source.startswith("reranker") else "model"
    place: Place = (section, *error.field.split(".", 1))
    lined = read_yaml(origin, source=source)
    return BadSpecError(
        source=source,
        line=_line(place, lined),
        field=dotted(place),
        why=f"{error.why} ({error.source})",
        hint=error.hint,
    )


def dump_spec(spec: ReleaseSpec) -> str:
    """Return the spec as YAML with every default written out; ``load_spec`` reads it back."""
    return write_yaml(as_tree(spec))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > 4 * spec_yaml.MAX_LENGTH:  # four bytes a character at most
            why = f"longer than {spec_yaml.MAX_LENGTH:,} characters"
            raise BadSpecError(source=str(path), field="", why=why)
        content = path.read_bytes()
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
        raise BadSpecError(source=str(path), field="", why=why) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSpecError(
            source=str(path),
            field="",
            line=content.count(b"\n", 0, error.start) + 1,
            why=f"byte {error.start + 1} is no UTF-8",
            hint="save the file as UTF-8",
        ) from error


def _explained(error: ValidationError, lined: Lined, *, source: str) -> BadSpecError:
    """Return the first mistake in the file, and how many follow."""
    mistakes: dict[Place, list[ErrorDetails]] = {}
    for mistake in error.errors(include_url=False):
        mistakes.setdefault(_place(mistake, lined), []).append(mistake)

    def order(place: Place) -> tuple[int, bool]:
        # A misspelt key explains the missing one, so it goes first within its line.
        return _line(place, lined), mistakes[place][0]["type"] == "missing"

    place = min(mistakes, key=order)
    why, hint = _why(mistakes[place], place)
    if len(mistakes) > 1:
        why += f" (and {len(mistakes) - 1} more)"
    line = _line(place, lined)
    return BadSpecError(source=source, line=line, field=dotted(place), why=why, hint=hint)


def _why(mistakes: Sequence[ErrorDetails], place: Place) -> tuple[str, str]:
    """Say what is wrong at one place; a value of several kinds has a mistake for each."""
    first, name = mistakes[0], str(place[-1]) if place else ""
    match first["type"]:
        case "extra_forbidden":
            said = "there is no such key", _suggestion(name, _keys(place), "keys")
        case "missing":
            said = "is needed", f"the shortest spec: {_SHORTEST}" if name == "model" else ""
        case "enum":
            allowed = _words(str(first["ctx"]["expected"]))
            given = first["input"]
            hint = _suggestion(str(given), allowed, "values")
            said = f"{given!r} is none of its values", hint
        case "value_error":
            said = str(first["ctx"]["error"]), ""
        case "string_pattern_mismatch" if name == "api_key_env":
            said = "no name of an environment variable", "never write the key itself here"
        case "string_pattern_mismatch":
            said = "not 64 hexadecimal digits", "leave it out: it is filled in"
        case "string_too_short":
            said = "is empty", ""
        case _:
            said = _expected(mistakes)
    return said


def _expected(mistakes: Sequence[ErrorDetails]) -> tuple[str, str]:
    kinds = [mistake["type"] for mistake in mistakes]
    if kinds[0] in _EXPECTED:
        expected = " or ".join(dict.fromkeys(_EXPECTED[kind] for kind in kinds))
        hint = _HINTS.get(kinds[0], "") if len(kinds) == 1 else ""
        return f"expected {expected}, not {_called(mistakes[0]['input'])}", hint
    return mistakes[0]["msg"].removeprefix("Input "), ""


def _called(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    kinds = {bool: "true or false", str: "text", list: "a list", dict: "keys with values"}
    return kinds.get(type(value), f"the number {value}")


def _words(text: str) -> list[str]:
    return [word.strip("' ") for word in text.replace(" or ", ", ").split(", ")]


def _suggestion(given: str, allowed: Sequence[str], what: str) -> str:
    close = difflib.get_close_matches(given, allowed, n=1)
    return f"did you mean {close[0]}?" if close else f"{what}: {', '.join(allowed)}"


def _keys(place: Place) -> list[str]:
    section: type[BaseModel] = SpecFile
    for name in place[:-1]:
        section = section_of(section.model_fields[str(name)]) or section
    return list(section.model_fields)


def _place(mistake: ErrorDetails, lined: Lined) -> Place:
    """Leave out what pydantic adds to a place: the kinds of a union that it tried."""
    place = mistake["loc"]
    while mistake["type"] != "missing" and place not in lined.lines:
        place = place[:-1]
    return place


def _line(place: Place, lined: Lined) -> int:
    while place not in lined.lines:
        place = place[:-1]
    return lined.lines[place]
