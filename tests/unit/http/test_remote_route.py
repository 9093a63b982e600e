"""A process that follows its route at a server: told of moves, silent when cut off."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta

import pytest
from tests.unit.http.conftest import ENOUGH_S, SHOP_KEY, Site, until

from repoint.client.remote_route import RemoteRoute
from repoint.domain.errors import RefusedError, UnavailableError, UnconfirmedRouteError
from repoint.domain.readiness import Status
from repoint.testing.clock import FrozenClock


def test_it_has_the_route_at_once_and_after_a_move_that_waited_for_it(site: Site) -> None:
    changed = threading.Event()
    with RemoteRoute(site.server.url, "docs", watcher="py", on_change=changed.set) as route:
        assert (route.current().release, route.current().epoch) == ("v1", 1)
        report = site.promote()
        assert changed.wait(ENOUGH_S)
        assert route.current().tree() == site.docs.routing.service_route().tree()
        found = next(one for one in report.findings if one.check == "processes")
        assert found.status is Status.OK
        assert found.figures["processes"] == 2  # the server and this one
    assert "watcher py" not in site.served()


def test_cut_off_for_longer_than_its_lease_it_gives_no_route(site: Site) -> None:
    clock = FrozenClock()
    with RemoteRoute(site.server.url, "docs", wait_seconds=1, clock=clock) as route:
        site.server.stop()
        clock.advance(timedelta(seconds=11))
        assert route.current().release == "v1"  # a lease of ten seconds and two waits
        clock.advance(timedelta(seconds=2))
        with pytest.raises(UnconfirmedRouteError):
            route.current()


def test_what_the_server_refuses_is_raised_at_once(keyed: Site) -> None:
    with pytest.raises(RefusedError, match="carries no key"):
        RemoteRoute(keyed.server.url, "docs")
    with pytest.raises(RefusedError, match="no index 'nope'"):
        RemoteRoute(keyed.server.url, "nope", key=SHOP_KEY)
    with RemoteRoute(keyed.server.url, "docs", key=SHOP_KEY) as route:
        assert route.current().release == "v1"


def test_a_server_that_is_not_there_is_said() -> None:
    with socket.socket() as taken:  # by somebody who does not listen
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnavailableError, match="could not be asked"):
            RemoteRoute(url, "docs")


def test_a_closed_route_is_given_to_nobody(site: Site) -> None:
    route = RemoteRoute(site.server.url, "docs", watcher="py")
    until(lambda: "watcher py" in site.served())
    route.close()
    route.close()
    with pytest.raises(UnconfirmedRouteError):
        route.current()
