"""What a mistake in a file is called, in plain words instead of a validator's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: What a value must be, by the validator's word for what it is not.
_EXPECTED: Final = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
}
#: How a value is bounded, and where the validator puts the bound.
_BOUNDS: Final = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


#: What needs no figure.
_SENTENCES: Final = {
    "extra_forbidden": "there is no such setting",
    "missing": "is needed",
    "too_short": "must have at least one item",
    "string_too_short": "is empty",
}


def plainly(mistake: ErrorDetails, *, forms: dict[str, str] | None = None) -> str:
    """Return what is wrong, without the name of the field.

    ``forms`` says by field what a text must look like where a pattern says it to machines.
    """
    kind, context, given = mistake["type"], mistake.get("ctx", {}), mistake.get("input")
    if kind in _SENTENCES:
        said = _SENTENCES[kind]
    elif kind in _BOUNDS:
        word, key = _BOUNDS[kind]
        said = f"must be {word} {context[key]:g}, not {given}"
    elif kind in _EXPECTED:
        said = f"must be {_EXPECTED[kind]}, not {_called(given)}"
    elif kind == "value_error":
        said = str(context["error"])
    elif kind in {"enum", "literal_error"}:
        said = f"must be one of {context['expected']}, not {given!r}"
    elif kind == "string_pattern_mismatch":
        form = (forms or {}).get(str(mistake["loc"][-1]))
        said = f"must be {form}" if form else "is not of the form that it must have"
    else:
        said = mistake["msg"].rstrip(".")
    return said


def _called(value: object) -> str:
    if value is None:
        return "nothing"
    kinds = {bool: "true or false", str: "text", list: "a list", dict: "keys with values"}
    return kinds.get(type(value), f"the number {value}")
