import pytest

from repoint.domain.errors import BadSpecError
from repoint.domain.options import Options


def test_an_option_that_nobody_asked_for_is_refused_with_those_there_are() -> None:
    options = Options({"sede": 1}, source="model hashing")
    options.integer("seed", 0)
    with pytest.raises(BadSpecError, match=r"options\.sede: no such option; options: seed"):
        options.finish()


def test_an_option_of_another_type_is_refused() -> None:
    options = Options({"a": "x", "b": True, "c": 1}, source="model m")
    with pytest.raises(BadSpecError, match="whole number"):
        options.integer("a", 0)
    with pytest.raises(BadSpecError, match="whole number"):
        options.integer("b", 0)
    with pytest.raises(BadSpecError, match="no text"):
        options.text("c")
    with pytest.raises(BadSpecError, match="no number"):
        options.number("b", 0.5)
    with pytest.raises(BadSpecError, match="neither"):
        options.flag("a", default=False)


def test_a_number_out_of_bounds_is_refused() -> None:
    options = Options({"n": 0}, source="model m")
    with pytest.raises(BadSpecError, match="below 1"):
        options.integer("n", 1, least=1)
    with pytest.raises(BadSpecError, match="not above 0"):
        options.number("n", 1.0, above=0)


def test_options_left_out_have_their_defaults() -> None:
    options = Options({"kept": "x"}, source="model m")
    assert options.text("kept", "y") == "x"
    assert options.text("absent", "y") == "y"
    assert options.integer("n", 3) == 3
    assert options.number("r", 0.5) == 0.5
    assert options.flag("f", default=True) is True
    options.finish()
