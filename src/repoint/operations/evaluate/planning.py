"""How many queries a relevance gate needs, so that a doubt can be ended by asking more.

The numbers are for what was declared, not for what was seen: a change that looked large by
chance would ask for too few. ``python -m bench power`` asks for them and then measures how
often they were enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from repoint.operations.evaluate import betting, statistics
from repoint.operations.evaluate.statistics import POWER, Floats

#: How often a gate may call a loss what is none, over all its parts together.
FALSE_ALARM: Final = 0.005
#: How sure the spread and the baseline's mean are, of which the numbers are made: both were
#: measured on the few queries that there are.
_SURENESS: Final = 0.8


class Rule(Protocol):
    """What a gate declares whose measure may not fall."""

    @property
    def tolerance(self) -> float:
        """How far the mean may fall, as a difference."""
        ...

    @property
    def groups(self) -> bool:
        """Whether each group must hold it too."""
        ...

    @property
    def confidence(self) -> float:
        """How sure a pass must be."""
        ...

    @property
    def minimum_queries(self) -> int:
        """With fewer queries nothing can be told."""
        ...

    @property
    def loss(self) -> float:
        """What part of the baseline's mean a loss must be that a doubt asks queries for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Numbers of queries in one part of a gate: all queries, or one group."""

    #: With so many a true loss of the declared size fails nine times in ten; None where no
    #: number does, because so small a loss is tolerated.
    catching: int | None
    #: With so many in every part an equal release passes all parts nine times in ten; None
    #: where nothing is tolerated.
    passing: int | None

    @property
    def needed(self) -> int | None:
        """With so many either would be told."""
        return max((one for one in (self.catching, self.passing) if one), default=None)


def chance_of_failure(parts: int) -> float:
    """Return how often a part may fail by chance: all parts share one false alarm."""
    return FALSE_ALARM / parts


def spread_of(differences: Floats) -> float:
    """Return what the standard deviation of one column of differences surely lies below."""
    return statistics.cautious_spread(differences, sureness=_SURENESS)


def plan(
    differences: Floats, baseline: Floats, rule: Rule, *, parts: int, at_least: float
) -> Plan:
    """Return the numbers for a part from one column of differences and the baseline's scores.

    A part fails when its loss is beyond the tolerance and surely a loss, so both must be
    likely at the declared loss. Any part may fail, so each fails at a shared level; all must
    pass, so the chance that an equal release does not pass is shared, too.

    ``at_least`` is the spread of all queries, below which no part's is taken to be: large
    differences are rare, and the few queries of a group may hold none by chance.
    """
    spread = max(at_least, spread_of(differences))
    if spread <= 0.0:
        return Plan(catching=rule.minimum_queries, passing=rule.minimum_queries)
    loss = rule.loss * statistics.cautious_mean(baseline, sureness=_SURENESS)
    catching = None
    if loss > rule.tolerance:
        catching = _most(
            rule,
            betting.needed(
                spread, effect=loss, chance=chance_of_failure(parts), power=POWER, room=1.0
            ),
            statistics.needed(spread, effect=loss - rule.tolerance, level=0.0),
        )
    together = 1.0 - (1.0 - POWER) / parts
    passing = statistics.needed(
        spread, effect=rule.tolerance, level=rule.confidence, power=together
    )
    return Plan(catching=catching, passing=None if passing is None else _most(rule, passing))


def _most(rule: Rule, *numbers: int | None) -> int:
    return max(rule.minimum_queries, *(one for one in numbers if one is not None))
