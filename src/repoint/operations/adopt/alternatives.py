"""What else may have made a collection's vectors: one part of a spec changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from repoint.domain.spec import ModelSpec, Pooling, ReleaseSpec, TextSpec
from repoint.ports.text import Preparer

#: Prefixes that widely used models ask for before a document.
PREFIXES: Final = (
    "",
    "passage: ",
    "query: ",
    "search_document: ",
    "document: ",
    "title: none | text: ",
    "Represent this sentence: ",
    "Represent this sentence for searching relevant passages: ",
)
#: How titles and texts are put together.
TEMPLATES: Final = (
    "{title}\n{text}",
    "{text}",
    "{title} {text}",
    "{title}. {text}",
    "{title}: {text}",
    "{title}\n\n{text}",
)
#: Where models cut their input.
CUTS: Final = (None, 128, 256, 384, 512)
#: Steps that texts go through most often.
STEPS: Final = (
    (),
    ("lowercase",),
    ("collapse_whitespace",),
    ("strip_html",),
    ("strip_html", "collapse_whitespace"),
    ("unicode_nfc",),
    ("unicode_nfkc",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One part of a spec that is otherwise than declared."""

    part: str
    declared: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A spec that may have made the vectors, and in what it differs."""

    spec: ReleaseSpec
    changes: tuple[Change, ...]


class Variation:
    """Varies a declaration; ``others`` are specs of the workspace, by what they are called."""

    def __init__(
        self,
        prepares: Callable[[ReleaseSpec], Preparer],
        *,
        others: Sequence[tuple[str, ReleaseSpec]] = (),
    ) -> None:
        self._prepares = prepares
        self._others = others

    def of(self, start: Alternative) -> Iterator[Alternative]:
        """Yield specs that differ from ``start`` in one part that it has not changed yet."""
        done = {change.part for change in start.changes}
        for part, vary in (
            ("model.document_prefix", self._prefixes),
            ("model", self._of_others),
            ("model.pooling", self._poolings),
            ("model.max_tokens", self._cuts),
            ("text.template", self._templates),
            ("text.steps", self._steps),
        ):
            if part not in done:
                yield from vary(start)

    @staticmethod
    def _prefixes(start: Alternative) -> Iterator[Alternative]:
        model = start.spec.model
        for prefix in dict.fromkeys((model.query_prefix, *PREFIXES)):
            if prefix != model.document_prefix:
                other = replace(model, document_prefix=prefix)
                yield _of_model(
                    start, "document_prefix", model.document_prefix, prefix, model=other
                )

    @staticmethod
    def _poolings(start: Alternative) -> Iterator[Alternative]:
        model = start.spec.model
        for pooling in Pooling:
            if pooling is not model.pooling:
                other = replace(model, pooling=pooling)
                yield _of_model(start, "pooling", model.pooling, pooling, model=other)

    @staticmethod
    def _cuts(start: Alternative) -> Iterator[Alternative]:
        model = start.spec.model
        for cut in CUTS:
            if cut != model.max_tokens:
                other = replace(model, max_tokens=cut)
                yield _of_model(start, "max_tokens", model.max_tokens, cut, model=other)

    def _templates(self, start: Alternative) -> Iterator[Alternative]:
        text = start.spec.text
        for template in TEMPLATES:
            if template != text.template:
                spec = self._complete(start.spec, replace(text, template=template))
                change = _change("text.template", text.template, template)
                yield _changed(start, change, spec)

    def _steps(self, start: Alternative) -> Iterator[Alternative]:
        text = start.spec.text
        for steps in dict.fromkeys((*STEPS, *_without_one(text.steps))):
            if steps != text.steps:
                spec = self._complete(start.spec, replace(text, steps=steps))
                change = _change("text.steps", list(text.steps), list(steps))
                yield _changed(start, change, spec)

    def _of_others(self, start: Alternative) -> Iterator[Alternative]:
        declared = start.spec.model
        seen = {_identity(declared)}
        for name, other in self._others:
            model = other.model
            if model.dimensions != declared.dimensions or _identity(model) in seen:
                continue
            seen.add(_identity(model))
            # As the other release uses it; what is declared of the text stays.
            change = Change(
                part="model",
                declared=_shown(declared),
                found=f"{_shown(model)}, the model of {name}",
            )
            yield _changed(start, change, replace(start.spec, model=model))

    def _complete(self, spec: ReleaseSpec, text: TextSpec) -> ReleaseSpec:
        """Return the spec with another text, and the libraries that it now depends on."""
        bare = replace(spec, text=text, libraries={})
        return replace(bare, libraries=dict(self._prepares(bare).libraries))


def _of_model(
    start: Alternative, part: str, declared: object, found: object, *, model: ModelSpec
) -> Alternative:
    change = _change(f"model.{part}", declared, found)
    return _changed(start, change, replace(start.spec, model=model))


def _changed(start: Alternative, change: Change, spec: ReleaseSpec) -> Alternative:
    return Alternative(spec=spec, changes=(*start.changes, change))


def _change(part: str, declared: object, found: object) -> Change:
    return Change(part=part, declared=_said(declared), found=_said(found))


def _without_one(steps: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [steps[:place] + steps[place + 1 :] for place in range(len(steps))]


def _identity(model: ModelSpec) -> tuple[str, str, str, str]:
    return model.provider, model.name, model.revision, model.digest


def _shown(model: ModelSpec) -> str:
    named = f"{model.provider} {model.name}".strip()
    revision = model.revision or model.digest[:12]
    return f"{named} ({revision})" if revision else named


def _said(value: object) -> str:
    return (
        "none" if value is None else repr(str(value)) if isinstance(value, str) else str(value)
    )
