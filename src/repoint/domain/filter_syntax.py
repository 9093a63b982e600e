r"""The written form of filters: reading, writing, and checking against an index's fields.

    group = "treatment" and year >= 2020 and not (lang in ("de", "fr"))

``not`` binds tighter than ``and``, ``and`` tighter than ``or``. Text stands in single or
double quotes, with ``\\``, ``\"``, ``\'``, ``\n``, ``\r``, ``\t`` and ``\uXXXX``. A field whose
name is not one plain word stands in backticks; a backtick in it is doubled. ``true`` and
``false`` alone are filters too. Length and depth are bounded, so that text from outside can
be read safely.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from repoint.domain.document import FieldType
from repoint.domain.errors import BadFilterError, UnknownFieldError
from repoint.domain.filters import (
    EXACT,
    ORDERED,
    And,
    Compare,
    Comparison,
    Filter,
    In,
    Not,
    Or,
    Scalar,
    leaves,
    type_of,
)

#: Characters in a written filter.
MAX_LENGTH: Final = 65_536
#: Brackets and negations inside each other.
MAX_DEPTH: Final = 32

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<quoted>`(?:[^`]|``)+`)
    | (?P<word>[^\W\d][\w.\-]*)
    | (?P<sign><=|>=|!=|<>|==|[=<>(),])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN: Final = re.compile(r"[^\W\d][\w.\-]*")
_KEYWORDS: Final = frozenset({"and", "or", "not", "in", "true", "false"})
_SIGNS: Final = {"==": "=", "<>": "!="}
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "r": "\r", "t": "\t"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNPRINTED: Final = re.compile(r'[\\"\x00-\x1f\x7f-\x9f\u2028\u2029]')
_LONGEST_NUMBER: Final = 40


def parse(text: str) -> Filter:
    """Return the filter that the text spells.

    Raises:
        BadFilterError: it is none; the error says at which character and why.
    """
    if len(text) > MAX_LENGTH:
        raise BadFilterError(
            text=text[:40] + "…",
            position=MAX_LENGTH,
            why=f"longer than {MAX_LENGTH} characters",
        )
    return _Reader(text).whole()


def from_mapping(wanted: Mapping[str, Scalar | Sequence[Scalar]]) -> Filter:
    """Return the filter that holds when every field equals its value, or one of its values.

    Raises:
        BadFilterError: a value is neither text, number, boolean nor a list of those.
    """
    parts = tuple(_part(field, value) for field, value in wanted.items())
    return parts[0] if len(parts) == 1 else And(parts)


def render(filter_: Filter) -> str:
    """Return the text that ``parse`` reads as this filter; ``and`` of one part is that part."""
    match filter_:
        case Compare(field, comparison, value):
            return f"{_field(field)} {comparison} {_scalar(value)}"
        case In(field, values):
            return f"{_field(field)} in ({', '.join(map(_scalar, values))})"
        case Not(part):
            return f"not {_inner(part)}"
        case And(parts):
            return _joined(parts, " and ", nothing="true")
        case Or(parts):
            return _joined(parts, " or ", nothing="false")


def _joined(parts: Sequence[Filter], word: str, *, nothing: str) -> str:
    if len(parts) == 1:
        return render(parts[0])
    return word.join(map(_inner, parts)) or nothing


def check(filter_: Filter, fields: Mapping[str, FieldType], *, index: str) -> None:
    """Return if every comparison fits what the index knows of its fields.

    Raises:
        UnknownFieldError: no document of the index has such a field.
        BadFilterError: a value has another type than its field, booleans are asked for an
            order, or the field holds lists or objects.
    """
    for leaf in leaves(filter_):
        if leaf.field not in fields:
            raise UnknownFieldError(index=index, field=leaf.field, known=sorted(fields))
        why = _misfit(leaf, fields[leaf.field])
        if why:
            text = render(filter_)
            raise BadFilterError(text=text, position=text.index(render(leaf)), why=why)


def _misfit(leaf: Compare | In, known: FieldType) -> str:
    if known is FieldType.OPAQUE:
        return f"field {leaf.field!r} holds lists, objects or nothing, which no filter compares"
    for value in leaf.values if isinstance(leaf, In) else (leaf.value,):
        if type_of(value) is not known:
            return f"field {leaf.field!r} holds {known}, not {type_of(value)}: {_scalar(value)}"
        if isinstance(value, int | float) and abs(value) > EXACT:
            return (
                f"{_scalar(value)} is beyond 2^53, where numbers are no longer exact; "
                "store such ids as text"
            )
    if known is FieldType.BOOLEAN and isinstance(leaf, Compare) and leaf.comparison in ORDERED:
        return f"field {leaf.field!r} is true or false; compare it with = or !="
    return ""


def _part(field: str, value: Scalar | Sequence[Scalar]) -> Filter:
    if isinstance(value, str | int | float):
        return Compare(field, Comparison.EQUAL, _finite(field, value))
    if isinstance(value, list | tuple):
        return In(field, tuple(_finite(field, item) for item in value))
    raise _no_value(field, value)


def _finite(field: str, value: Scalar) -> Scalar:
    if not isinstance(value, str | int | float):
        raise _no_value(field, value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _no_value(field, value)
    if isinstance(value, str) and _SURROGATE.search(value):
        raise _no_value(field, value)
    return value


def _no_value(field: str, value: object) -> BadFilterError:
    why = f"field {field!r} can be compared with text, numbers, true, false or a list of those"
    return BadFilterError(text=f"{field}: {value!r}", position=len(field) + 2, why=why)


def _inner(part: Filter) -> str:
    """Render a part of a larger filter: whatever has parts of its own goes in brackets."""
    match part:
        case And((only,)) | Or((only,)):
            return _inner(only)
        case And((_, _, *_)) | Or((_, _, *_)):
            return f"({render(part)})"
        case _:
            return render(part)


def _field(name: str) -> str:
    if _PLAIN.fullmatch(name) and name.lower() not in _KEYWORDS:
        return name
    return "`" + name.replace("`", "``") + "`"


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + _UNPRINTED.sub(_escaped, value) + '"'
    return repr(value)


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    return "\\" + found if found in '\\"' else f"\\u{ord(found):04x}"


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of the text: its kind is a keyword, a sign, or what it holds."""

    kind: str
    value: str
    position: int


class _Reader:
    """Reads a filter from left to right, looking one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._token = self._scan(0)

    def whole(self) -> Filter:
        found = self._or()
        if self._token.kind != "end":
            raise self._bad("expected and, or, or the end")
        return found

    def _or(self) -> Filter:
        parts = [self._and()]
        while self._took("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Filter:
        parts = [self._not()]
        while self._took("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Filter:
        if self._token.kind not in {"not", "("}:
            return self._comparison()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._bad(f"more than {MAX_DEPTH} brackets and negations inside each other")
        found: Filter
        if self._took("not"):
            found = Not(self._not())
        else:
            self._take("(", "a bracket")
            found = self._or()
            self._take(")", "a closing bracket")
        self._depth -= 1
        return found

    def _comparison(self) -> Filter:
        if self._token.kind in {"true", "false"}:
            return And(()) if self._took("true") else self._nothing()
        if self._token.kind != "field":
            raise self._bad("expected a field's name; text goes to the right of a comparison")
        field = self._advance().value
        if self._took("not"):
            self._take("in", "in after not")
            return Not(In(field, self._values()))
        if self._took("in"):
            return In(field, self._values())
        if self._token.kind != "comparison":
            raise self._bad(f"expected =, !=, <, <=, >, >= or in after field {field!r}")
        comparison = Comparison(self._advance().value)
        return Compare(field, comparison, self._value())

    def _nothing(self) -> Filter:
        self._take("false", "false")
        return Or(())

    def _values(self) -> tuple[Scalar, ...]:
        self._take("(", "a bracket with values")
        values: list[Scalar] = []
        while self._token.kind != ")":
            values.append(self._value())
            if not self._took(","):
                break
        self._take(")", "a comma or a closing bracket")
        return tuple(values)

    def _value(self) -> Scalar:
        token = self._token
        match token.kind:
            case "text":
                value: Scalar = self._unquoted(token)
            case "number":
                value = self._number(token)
            case "true" | "false":
                value = token.kind == "true"
            case "field":
                raise self._bad(f'expected a value; put text in quotes: "{token.value}"')
            case _:
                raise self._bad("expected text in quotes, a number, true or false")
        self._advance()
        return value

    def _unquoted(self, token: _Token) -> str:
        def resolved(match: re.Match[str]) -> str:
            code = match.group(1)
            if len(code) > 1:
                return chr(int(code[1:], 16))
            if code in _ESCAPED:
                return _ESCAPED[code]
            where = token.position + 1 + match.start()
            raise self._bad(
                f"unknown escape {match.group()!r}; write a backslash as \\\\", where
            )

        value = _ESCAPE.sub(resolved, token.value[1:-1])
        if _SURROGATE.search(value):
            raise self._bad("half of a surrogate pair is no text")
        return value

    def _number(self, token: _Token) -> int | float:
        if len(token.value) > _LONGEST_NUMBER:
            raise self._bad(f"a number of more than {_LONGEST_NUMBER} characters")
        if token.value.lstrip("+-").isdecimal():
            return int(token.value)
        value = float(token.value)
        if math.isinf(value):
            raise self._bad("the number is too large")
        return value

    def _scan(self, position: int) -> _Token:
        match = _TOKEN.match(self._text, position)
        if match is None or match.lastgroup is None:
            start = position + len(self._text[position:]) - len(self._text[position:].lstrip())
            quote = self._text[start] in "\"'`"
            why = "the quote is not closed" if quote else f"unexpected {self._text[start]!r}"
            raise self._bad(why, start)
        kind, value, start = (
            match.lastgroup,
            match[match.lastgroup],
            match.start(match.lastgroup),
        )
        if kind == "sign":
            value = _SIGNS.get(value, value)
            kind = value if value in "()," else "comparison"
        elif kind == "word":
            kind = value.lower() if value.lower() in _KEYWORDS else "field"
        elif kind == "quoted":
            kind, value = "field", value[1:-1].replace("``", "`")
        self._next = match.end()
        return _Token(kind, value, start)

    def _advance(self) -> _Token:
        token = self._token
        self._token = self._scan(self._next)
        return token

    def _took(self, kind: str) -> bool:
        if self._token.kind != kind:
            return False
        self._advance()
        return True

    def _take(self, kind: str, what: str) -> None:
        if not self._took(kind):
            raise self._bad(f"expected {what}")

    def _bad(self, why: str, position: int | None = None) -> BadFilterError:
        where = self._token.position if position is None else position
        return BadFilterError(text=self._text, position=where, why=why)
