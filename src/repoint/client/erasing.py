"""Erasing documents for good: what an index offers besides writing and searching."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from repoint.domain.ids import DocumentId, IndexName
from repoint.operations.session import Session

if TYPE_CHECKING:
    from repoint.operations.erase import ErasureReport


class Erasing:
    """The part of an index that erases; whoever has a session and a name can do it."""

    _session: Session
    _name: IndexName

    def erase(self, ids: Iterable[str], *, reason: str) -> ErasureReport:
        """Delete documents and remove their content from every place, and prove that.

        Killed anywhere, it is finished by the next call, by ``finish_erasures`` or by
        ``Repoint.reconcile``. The report says place by place what was found afterwards, and
        what is out of reach.

        Raises:
            BadInputError: no id, too many, or a reason that is empty or names a document.
        """
        from repoint.operations import erase  # noqa: PLC0415 - a rollback needs none of it

        named = (DocumentId(one) for one in ids)
        return erase.erase(self._session, self._name, named, reason=reason)

    def finish_erasures(self) -> list[ErasureReport]:
        """Finish erasures that were killed, or that could not be proven at the time."""
        from repoint.operations import erase  # noqa: PLC0415 - as above

        return erase.finish_open(self._session, self._name)
