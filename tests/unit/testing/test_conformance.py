"""A suite's tests cannot be taken out of it by whoever subclasses it."""

import pytest

from repoint.testing.conformance import Suite


class PromiseSuite(Suite):
    __test__ = False

    def test_a_promise(self) -> None:
        raise AssertionError


def test_a_subclass_cannot_redefine_a_test() -> None:
    with pytest.raises(TypeError, match=r"redefines PromiseSuite\.test_a_promise"):
        type("TestDriver", (PromiseSuite,), {"test_a_promise": lambda _self: None})


def test_a_suite_cannot_redefine_the_test_of_another() -> None:
    with pytest.raises(TypeError, match="redefines"):
        type("NarrowerSuite", (PromiseSuite,), {"test_a_promise": None})


def test_a_driver_cannot_add_tests_of_its_own() -> None:
    with pytest.raises(TypeError, match="adds test_more"):
        type("TestDriver", (PromiseSuite,), {"test_more": lambda _self: None})


def test_a_driver_may_bring_fixtures() -> None:
    driver = type("TestDriver", (PromiseSuite,), {"store": 1})

    assert issubclass(driver, PromiseSuite)
