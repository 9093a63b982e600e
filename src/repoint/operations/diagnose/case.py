"""Everything that is known of one diagnosis, before causes are named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from repoint.domain.diagnosis import (
    Blame,
    Cause,
    Certainty,
    ChunkFigures,
    Fault,
    FieldCoverage,
    Figure,
    SpecChange,
)
from repoint.domain.document import LogRow
from repoint.domain.errors import RepointError
from repoint.domain.ids import DocumentId
from repoint.domain.readiness import Finding
from repoint.domain.spec import Distance, ReleaseSpec
from repoint.operations.diagnose import pool
from repoint.operations.diagnose.facts import LogFacts
from repoint.operations.diagnose.grid import Grid
from repoint.operations.diagnose.pool import Vectors
from repoint.operations.diagnose.sampling import Looked
from repoint.operations.diagnose.spending import Purse
from repoint.operations.spaces import Space, Spaces

#: A model that says nothing else reads as many tokens at least.
_USUAL_TOKENS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One release beside its baseline."""

    spaces: Spaces
    baseline: Space
    release: Space
    rows: dict[DocumentId, LogRow]
    held: Vectors
    log: LogFacts
    looked: Looked
    #: The distances that explain the database's own scores.
    distances: frozenset[Distance]
    probes: Finding
    baseline_probes: Finding
    fields: tuple[FieldCoverage, ...]
    chunks: ChunkFigures
    baseline_chunks: ChunkFigures
    changes: tuple[SpecChange, ...]
    #: None where nothing was lost, so that there is nothing to win back.
    grid: Grid | None
    purse: Purse

    @property
    def spec(self) -> ReleaseSpec:
        """The release's own."""
        return self.release.release.spec

    @property
    def baseline_spec(self) -> ReleaseSpec:
        """The baseline's."""
        return self.baseline.release.spec

    @property
    def name(self) -> str:
        """The index and the release, as commands take them."""
        return f"{self.release.release.index} {self.release.release.name}"

    @property
    def distance(self) -> Distance:
        """The distance that the database really uses, where its scores tell."""
        if self.spec.distance in self.distances or len(self.distances) != 1:
            return self.spec.distance
        return next(iter(self.distances))

    def changed(self, prefix: str) -> bool:
        """Return whether the specs differ in a field, or in one of a section."""
        return any(
            one.field == prefix or one.field.startswith(f"{prefix}.") for one in self.changes
        )

    def embedded(self, spec: ReleaseSpec, *, what: str) -> Vectors | None:
        """Embed the pool by another spec; None where that is over the budget or fails."""
        try:
            model = self.spaces.model(
                replace(self.release.release, spec=spec, fingerprint=spec.fingerprint())
            )
            return pool.embedded(model, self.rows, purse=self.purse, what=what)
        except RepointError as error:
            self.purse.left_out.append(f"{what}: {error.message}")
            return None

    def roomier(self) -> int | None:
        """Return how many tokens the model would read if it were not told to read fewer."""
        theirs = self.baseline_spec.model.max_tokens
        if theirs is None and self.spec.model.provider != "onnx":
            return None
        return max(theirs or _USUAL_TOKENS, self.spec.model.max_tokens or 0)


def measured(
    fault: Fault,
    blame: Blame,
    score: float,
    summary: str,
    *,
    remedy: str,
    certainty: Certainty = Certainty.MEASURED,
    **figures: Figure,
) -> Cause:
    """Return the cause; what it wins back is its score unless it is otherwise certain."""
    return Cause(
        fault=fault,
        blame=blame,
        certainty=certainty,
        score=round(min(max(score, 0.0), 1.0), 4),
        summary=summary,
        figures={
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in figures.items()
        },
        remedy=remedy,
    )
