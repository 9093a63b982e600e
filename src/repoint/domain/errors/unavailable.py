"""A dependency is down: retry with backoff."""

from __future__ import annotations

from datetime import timedelta

from repoint.domain.errors.families import UnavailableError


class RateLimitedError(UnavailableError):
    """A provider asks to slow down."""

    code = "rate-limited"


class ProviderAnswerError(UnavailableError):
    """A provider's answer is not one vector of the right length a text."""

    code = "provider-answer"


class UnconfirmedRouteError(UnavailableError):
    """This process could not confirm within its lease which release answers."""

    code = "unconfirmed-route"

    def __init__(self, *, index: str, seconds: float) -> None:
        self.index, self.seconds = index, seconds
        super().__init__(
            f"the route of index {index!r} was last confirmed {seconds:.1f} s ago, "
            "longer than the lease",
            hint="check that the control store is reachable",
        )


class TooManyWaitingError(UnavailableError):
    """As many clients wait on this server for a change as it lets wait."""

    code = "too-many-waiting"

    def __init__(self, *, most: int) -> None:
        self.most = most
        super().__init__(
            f"{most} clients are waiting here already",
            hint="ask again, or raise http.most_waiting in repoint.toml",
            retry_after=timedelta(seconds=1),
        )


class TooManyPushesError(UnavailableError):
    """As many pushes are being taken by this server as it takes at a time."""

    code = "too-many-pushes"
    http_status = 429

    def __init__(self, *, most: int) -> None:
        self.most = most
        super().__init__(
            f"{most} pushes are being taken here already",
            hint="send it again after a moment",
            retry_after=timedelta(seconds=1),
        )


class StoreUnavailableError(UnavailableError):
    """The control store did not take or give what was asked."""

    code = "store-unavailable"


class BackendUnavailableError(UnavailableError):
    """The database that holds the vectors did not take or give what was asked."""

    code = "backend-unavailable"


class SourceUnavailableError(UnavailableError):
    """A system of record that documents are read from did not answer."""

    code = "source-unavailable"
