"""Real damage to a real collection, for tests of what notices it.

Everything here goes past repoint, as an interrupted migration, another program or a careless
hand would: rows are removed, written again from elsewhere, or added a second time. Nothing
of it is recorded anywhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from repoint import Repoint
from repoint.domain.document import Document, Entry, LogRow
from repoint.domain.ids import DocumentId, Lsn, release_name
from repoint.domain.spec import ModelSpec
from repoint.operations.embedding import Embedding
from repoint.operations.spaces import Space
from repoint.ports.backend import FloatMatrix, SpaceMatrix
from repoint.wiring.workspace import Workspace

#: Documents written at once.
_BATCH: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """One release of a workspace, to be damaged."""

    repoint: Repoint
    index: str
    release: str

    @property
    def workspace(self) -> Workspace:
        """What the release's parts are opened with."""
        return self.repoint.workspace

    @property
    def space(self) -> Space:
        """The release, opened."""
        found = self.repoint.index(self.index).release(self.release)
        return self.repoint.session.spaces.open(found)

    def rows(self) -> list[LogRow]:
        """Return the documents that the log holds."""
        index = self.space.release.index
        with self.repoint.session.store.read() as view:
            rows = view.log.rows(index, above=Lsn(0), upto=view.log.head(index))
        return [row for row in rows if row.document is not None]

    def drawn(self, share: float, *, seed: int = 0) -> list[LogRow]:
        """Return a part of the documents, drawn at random."""
        rows = self.rows()
        chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
        return chance.sample(rows, round(share * len(rows)))

    # Damage

    def lose(self, share: float) -> None:
        """Remove documents."""
        self.space.collection.purge([row.id for row in self.drawn(share)])

    def outdate(self, share: float, older: Callable[[Document], Document]) -> None:
        """Put an older version of documents in the place of the newest."""
        rows = self.drawn(share)
        self.space.collection.purge([row.id for row in rows])
        self._write(
            [_with(row, older(_document(row)), lsn=Lsn(row.lsn - 1)) for row in rows],
            self.space.embedding,
        )

    def embed_by(self, model: ModelSpec, share: float = 1.0) -> None:
        """Write documents again with the vectors of another model of the same dimensions."""
        embedder = self.workspace.drivers.embedder(model)
        self._write(
            self.drawn(share), Embedding(model, embedder, self.space.release.fingerprint)
        )

    def stretch(self) -> None:
        """Write every vector again with the length that the model gives it, unscaled."""
        spec = self.space.release.spec.model
        embedder = self.workspace.drivers.embedder(spec)
        raw = ModelSpec(provider=spec.provider, dimensions=spec.dimensions, normalise=False)
        self._write(self.rows(), Embedding(raw, embedder, self.space.release.fingerprint))

    def strip(self, field: str) -> None:
        """Write every document again without one of its metadata fields."""
        self._write(
            [
                _with(
                    row,
                    Document(
                        id=row.id,
                        title=_document(row).title,
                        text=_document(row).text,
                        metadata={
                            name: value
                            for name, value in _document(row).metadata.items()
                            if name != field
                        },
                    ),
                    lsn=row.lsn,
                )
                for row in self.rows()
            ],
            self.space.embedding,
        )

    def double(self, *, times: int = 2, home: Path) -> None:
        """Add every row of a LanceDB table again, as a second loader would."""
        import lancedb  # noqa: PLC0415 - only for this damage

        connection = lancedb.connect(home / "collections" / "lancedb")
        table = connection.open_table(self.space.release.collection)
        rows = table.to_arrow()
        for _ in range(times - 1):
            table.add(rows)

    def _write(self, rows: Sequence[LogRow], embedding: Embedding) -> None:
        space = self.space
        for start in range(0, len(rows), _BATCH):
            entries = [_entry(space, row) for row in rows[start : start + _BATCH]]
            texts = [chunk.text for entry in entries for chunk in entry.chunks]
            step = max(embedding.embedder.traits.batch, 1)
            parts: list[FloatMatrix] = [
                embedding.documents(texts[at : at + step]).values
                for at in range(0, len(texts), step)
            ]
            if parts:
                space.collection.put(
                    entries, SpaceMatrix(space.release.fingerprint, np.concatenate(parts))
                )


def ward(repoint: Repoint, index: str, release: str) -> Ward:
    """Return a release that may be damaged."""
    return Ward(repoint=repoint, index=index, release=release_name(release))


def shortened(document: Document) -> Document:
    """Return a document as it may have been before it said what it says now."""
    return Document(
        id=document.id,
        title="",
        text=f"Draft {len(document.text)}: this page is being written.",
        metadata=document.metadata,
    )


def _entry(space: Space, row: LogRow) -> Entry:
    chunks = space.preparer.prepare(_document(row))
    return Entry(
        document=DocumentId(row.id),
        lsn=row.lsn,
        chunks=chunks,
        slots=len(chunks),
        metadata=_document(row).metadata,
    )


def _document(row: LogRow) -> Document:
    assert row.document is not None
    return row.document


def _with(row: LogRow, document: Document, *, lsn: Lsn) -> LogRow:
    return LogRow(
        lsn=lsn,
        first_lsn=row.first_lsn,
        id=row.id,
        document=document,
        written_at=row.written_at,
    )
