"""What was given is malformed: correct it."""

from __future__ import annotations

from collections.abc import Sequence

from repoint.domain.errors.families import RefusedError


class BadInputError(RefusedError):
    """What was given is malformed."""

    code = "bad-input"


class InvalidNameError(BadInputError):
    """A name has characters or a length that not every backend takes."""

    code = "invalid-name"

    def __init__(self, *, what: str, name: str) -> None:
        self.what, self.name = what, name
        super().__init__(
            f"{name!r} cannot name an {what}"
            if what[0] in "aeiou"
            else f"{name!r} cannot name a {what}",
            hint="use a letter, then at most 62 letters, digits, '_', '-' or '.'",
        )


class BadLineError(BadInputError):
    """One record of a file or a call is no document."""

    code = "bad-line"

    def __init__(self, *, source: str, line: int, why: str, hint: str = "") -> None:
        self.source, self.line, self.why = source, line, why
        super().__init__(f"{source}, line {line}: {why}", hint=hint)


class FieldTypeError(BadInputError):
    """A document's metadata field has another type than the index has seen for it."""

    code = "field-type"

    def __init__(self, *, index: str, document: str, field: str, found: str, seen: str) -> None:
        self.index, self.document, self.field = index, document, field
        self.found, self.seen = found, seen
        super().__init__(
            f"document {document!r}: field {field!r} is {found} here, but {seen} in the "
            f"documents that index {index!r} has seen before",
            hint="give the value in that type, or use another field",
        )


class BadSpecError(BadInputError):
    """A release spec is malformed."""

    code = "bad-spec"

    def __init__(
        self, *, source: str, field: str, why: str, line: int | None = None, hint: str = ""
    ) -> None:
        self.source, self.line, self.field, self.why = source, line, field, why
        place = f"{source}, line {line}" if line is not None else source
        super().__init__(f"{place}: {field}: {why}" if field else f"{place}: {why}", hint=hint)


class BadFilterError(BadInputError):
    """A filter cannot be read, or compares a field with a value of another type."""

    code = "bad-filter"

    def __init__(self, *, text: str, position: int, why: str) -> None:
        self.text, self.position, self.why = text, position, why
        super().__init__(
            f"filter {text!r}, character {position + 1}: {why}",
            hint="""write for instance: group = "treatment" and year >= 2020""",
        )


class UnknownFieldError(BadInputError):
    """A filter names a field that no document of the index has."""

    code = "unknown-field"

    def __init__(self, *, index: str, field: str, known: Sequence[str]) -> None:
        self.index, self.field, self.known = index, field, list(known)
        fields = ", ".join(known) or "none"
        super().__init__(
            f"no document of index {index!r} has a field {field!r}", hint=f"fields: {fields}"
        )
