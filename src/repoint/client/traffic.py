"""Trying a release on live traffic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from repoint.domain.ids import IndexName, release_name
from repoint.domain.shadow import Shadow
from repoint.operations import canary, shadow, trial
from repoint.operations.canary import CanaryReport
from repoint.operations.session import Session
from repoint.operations.trial import Trial
from repoint.wiring.live import Live

#: How long a move waits until every serving process has confirmed it.
ACK_TIMEOUT: Final = timedelta(seconds=5)


class Traffic:
    """Which of an index's live queries also go to, or are answered by, a candidate."""

    def __init__(self, session: Session, name: IndexName, *, live: Live) -> None:
        self._session = session
        self._name = name
        self._live = live

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

    def canary(
        self,
        release: str,
        *,
        share: float,
        tenants: Mapping[str, float] | None = None,
        interleave: bool = False,
        reason: str = "",
        ack_timeout: timedelta = ACK_TIMEOUT,
    ) -> CanaryReport:
        """Let a candidate answer a share of the keys, or from now on another share.

        As many keys are its baseline. With ``interleave`` keys in the share get both
        releases' hits in one list, and ``docs.feedback`` says whose are preferred.

        Raises:
            NotReadyError: the candidate could not answer; nothing moved.
            RefusedMoveError: it is active, nothing is, or a soak is under way; nothing moved.
            FrozenError: the index is frozen; nothing moved.
        """
        return canary.set_(
            self._session,
            self._name,
            release_name(release),
            share=share,
            tenants=(tenants or {}).items(),
            interleaved=interleave,
            reason=reason,
            ack_timeout=ack_timeout,
        )

    def stop_canary(
        self, *, reason: str = "", ack_timeout: timedelta = ACK_TIMEOUT
    ) -> CanaryReport:
        """Let the active release answer everything again; the rollout goes on.

        Raises:
            RefusedMoveError: there is no canary.
        """
        return canary.stop(self._session, self._name, reason=reason, ack_timeout=ack_timeout)

    def trial(self) -> Trial | None:
        """Return how the canary stands and what may be said of it, None without one.

        Look as often as you like: the decision stays valid (a confidence sequence).
        """
        self._live.flush()
        return trial.show(self._session, self._name)

    def shadowed(self) -> Shadow | None:
        """Return the shadow, None when there is none."""
        return shadow.show(self._session, self._name)
