"""Release and query model from one evaluation of the real SDK, and news of every move."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from tests.unit.http.conftest import ENOUGH_S, Site

from repoint.domain.errors import UnconfirmedRouteError
from repoint.domain.ids import IndexName
from repoint.domain.readiness import Status
from repoint.domain.service_route import ServiceRoute
from repoint.integrations.openfeature import RepointProvider


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture(params=["in process", "at a server"])
def flags(request: pytest.FixtureRequest, site: Site) -> Iterator[OpenFeatureClient]:
    provider = (
        RepointProvider.of(site.repoint)
        if request.param == "in process"
        else RepointProvider.at(site.server.url, watcher="flags")
    )
    api.set_provider_and_wait(provider)
    yield api.get_client()
    api.clear_providers()


def test_one_evaluation_gives_release_and_query_model(
    site: Site, flags: OpenFeatureClient
) -> None:
    found = flags.get_object_details("docs", {})
    assert found.error_code is None
    assert found.value == site.docs.routing.service_route().tree()
    assert found.variant == "v1"
    assert found.flag_metadata["epoch"] == 1
    assert flags.get_string_value("docs", "nobody") == "v1"


def test_a_move_is_an_event_and_waits_for_the_provider(
    site: Site, flags: OpenFeatureClient
) -> None:
    told: list[EventDetails] = []
    changed = threading.Event()

    def note(details: EventDetails) -> None:
        told.append(details)
        changed.set()

    flags.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, note)
    flags.get_object_value("docs", {})
    report = site.promote()
    assert changed.wait(ENOUGH_S)
    assert told[0].flags_changed == ["docs"]
    after = flags.get_object_details("docs", {})
    assert (after.variant, after.flag_metadata["epoch"]) == ("v2", 2)
    found = next(one for one in report.findings if one.check == "processes")
    assert found.status is Status.OK
    assert found.figures["confirmed"] == found.figures["processes"]


def test_what_is_no_object_or_no_index_is_an_error_with_the_default(
    flags: OpenFeatureClient,
) -> None:
    assert flags.get_object_details("nope", {}).error_code is ErrorCode.FLAG_NOT_FOUND
    for wrong in (
        flags.get_boolean_details("docs", default_value=False),
        flags.get_integer_details("docs", 7),
        flags.get_float_details("docs", 0.5),
    ):
        assert wrong.error_code is ErrorCode.TYPE_MISMATCH
    assert flags.get_object_details("a b", {}).error_code is ErrorCode.GENERAL


def test_after_shutdown_no_move_waits_for_it(site: Site) -> None:
    provider = RepointProvider.of(site.repoint)
    api.set_provider_and_wait(provider)
    api.get_client().get_object_value("docs", {})
    assert any("openfeature" in one for one in site.served())
    api.clear_providers()
    assert not any("openfeature" in one for one in site.served())


class CutOff:
    """Routes that cannot be confirmed while the test says so."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.cut = False

    def current(self, index: IndexName) -> ServiceRoute:
        if self.cut:
            raise UnconfirmedRouteError(index=index, seconds=timedelta(seconds=11).seconds)
        return self._site.docs.routing.service_route()

    def close(self) -> None:
        """Hold nothing."""


def test_what_cannot_be_confirmed_is_an_error_and_an_event_never_the_old_value(
    site: Site,
) -> None:
    routes = CutOff(site)
    stale, ready = threading.Event(), threading.Event()
    api.set_provider_and_wait(RepointProvider(lambda _: routes))
    flags = api.get_client()
    flags.add_handler(ProviderEvent.PROVIDER_STALE, lambda _: stale.set())
    routes.cut = True
    found = flags.get_object_details("docs", {})
    assert (found.value, found.error_code) == ({}, ErrorCode.GENERAL)
    assert stale.wait(ENOUGH_S)
    flags.add_handler(ProviderEvent.PROVIDER_READY, lambda _: ready.set())
    routes.cut = False
    assert flags.get_object_details("docs", {}).variant == "v1"
    assert ready.wait(ENOUGH_S)
    api.clear_providers()
