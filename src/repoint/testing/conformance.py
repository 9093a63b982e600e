"""What all conformance suites share: whoever subclasses one cannot take a test out of it."""

from __future__ import annotations


class Suite:
    """A set of promises as tests; a concrete class brings fixtures and nothing else.

    A class whose name ends with ``Suite`` may add tests. Any
    other subclass is one driver's, and may neither add nor redefine one: a difference
    between drivers is declared, never overridden.
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Refuse a subclass that redefines a test of a suite.

        Raises:
            TypeError: it names the test and the suite that it belongs to.
        """
        super().__init_subclass__(**kwargs)
        for name in vars(cls):
            if not name.startswith("test"):
                continue
            for parent in cls.__mro__[1:]:
                if name in vars(parent):
                    raise TypeError(
                        f"{cls.__name__} redefines {parent.__name__}.{name}: a suite's test "
                        "cannot be overridden; declare the difference instead"
                    )
        if not cls.__name__.endswith("Suite") and (
            own := sorted(name for name in vars(cls) if name.startswith("test"))
        ):
            raise TypeError(
                f"{cls.__name__} adds {', '.join(own)}: a driver's own tests go into a class "
                "of their own"
            )
