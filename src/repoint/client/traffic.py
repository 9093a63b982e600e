"""Trying a release on live traffic."""

from __future__ import annotations

from repoint.domain.ids import IndexName, release_name
from repoint.domain.shadow import Shadow
from repoint.operations import shadow
from repoint.operations.session import Session


class Traffic:
    """Which of an index's live queries also go to, or are answered by, a candidate."""

    def __init__(self, session: Session, name: IndexName) -> None:
        self._session = session
        self._name = name

    def shadow(self, release: str, *, share: float = 1.0, reason: str = "") -> Shadow:
        """Let a share of the live queries also be asked of a release, and compared.

        Nobody is given its answers. What came of it is in ``docs.telemetry``, under the arm
        ``shadow``.

        Raises:
            RefusedError: the release is not live, or it is the one that answers.
            FrozenError: the index is frozen.
        """
        return shadow.start(
            self._session, self._name, release_name(release), share=share, reason=reason
        )

    def stop_shadow(self, *, reason: str = "") -> Shadow | None:
        """End the shadow; return what there was, None when there was none."""
        return shadow.stop(self._session, self._name, reason=reason)

    def shadowed(self) -> Shadow | None:
        """Return the shadow, None when there is none."""
        return shadow.show(self._session, self._name)
