"""How often the relevance gate is wrong on real scores, and whether it asks for enough.

Evaluations are simulated by drawing questions, with replacement, from what real releases
scored on judged data; every one is judged by the gate's own code. *Asked again* compares the
baseline with itself, each question in two of four wordings; *another model* has a second
model's differences less their mean in each group, so that on average nothing changed while
single questions differ as much as they do between models.

A loss of five per cent is made in one of ten groups in two ways: *spread* over all its
questions, among another model's differences; or *whole answers*, one in twenty, that score 0,
among other wordings. A first evaluation has as many questions as the data set. Where the gate
is in doubt about that group, it prints how many would catch such a loss; the group is then
evaluated with as many, drawn anew, and the loss is caught if the gate fails.

    python -m bench.bench_power [DATA ...]

writes the tables into the page of the docs as well; a data set that is left out stays as it
was measured last.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from bench.real_scores import GROUPS, MEASURE, Scores, scores

from repoint.domain.gates import GateResult, Outcome
from repoint.domain.ids import DocumentId, QueryId
from repoint.domain.policy import Policy, RelevanceGate
from repoint.domain.queries import Query
from repoint.operations.evaluate.comparison import Comparison
from repoint.operations.evaluate.gating import judge
from repoint.operations.evaluate.statistics import Floats

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "explanation" / "gate-errors.md"
RESULTS: Final = ROOT / "bench" / "results"
_BEGIN, _END = "<!-- table -->\n", "<!-- end of table -->\n"

DATA: Final = {
    "medquad-small": ("MiniLM L3", "MiniLM L6"),
    "scifact": ("MiniLM L3",),
    "cranfield": ("MiniLM L3",),
}
#: So strict that a loss of five per cent is beyond it wherever the data are.
GATE: Final = RelevanceGate(groups=True, tolerance=0.005)
POLICY: Final = Policy(gates=(GATE,))
#: As tolerant as the built-in one: an equal release passes a strict gate with very many only.
TOLERANT: Final = Policy(gates=(RelevanceGate(groups=True),))

#: Baseline and candidate scores of one simulated evaluation, group by group.
Drawn = list[tuple[Floats, Floats]]
Sizes = Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """How many evaluations are simulated."""

    equal: int
    passing: int
    lossy: int


TRIALS: Final = Trials(equal=500, passing=100, lossy=100)


@dataclass(slots=True, kw_only=True)
class Losses:
    """What became of evaluations with a loss in one group."""

    kind: str
    caught_at_once: int = 0
    passed_at_once: int = 0
    #: Numbers of questions that the gate asked for, and whether they were enough.
    asked: list[int] = field(default_factory=list)
    caught: list[bool] = field(default_factory=list)
    #: Doubts without a number: so small a loss is tolerated by what was seen.
    without: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Everything about one pair of releases."""

    pair: str
    questions: tuple[int, int]
    alarms: dict[str, int]
    of: int
    equal_passed: list[bool]
    equal_asked: list[int]
    losses: list[Losses]


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return false alarms and power in per cent, with 95 % intervals, a pair at a time."""
    if smoke:
        return measure_data(
            {"docstrings": ("tokenlearn",)},
            trials=Trials(equal=10, passing=1, lossy=2),
            seed=seed,
            smoke=True,
        )
    return measure_data(DATA, trials=TRIALS, seed=seed, smoke=False)


def measure_data(
    data: Mapping[str, Sequence[str]], *, trials: Trials, seed: int, smoke: bool
) -> dict[str, float]:
    """Return the figures of these data sets, and keep what they rest on, trial by trial."""
    figures: dict[str, float] = {}
    for name, candidates in data.items():
        real = scores(name, candidates, seed=seed, smoke=smoke)
        figures |= dict(_figures(kept(name, real, trials, seed=seed)))
    return figures


def kept(data: str, real: Sequence[Scores], trials: Trials, *, seed: int) -> list[Measured]:
    """Return what was measured of a data set's pairs, and write it down."""
    made = [_measured(one, trials, seed=seed) for one in real]
    equal = [_equal_row(one) for one in made]
    lossy = [row for one in made for row in _lossy_rows(one)]
    record = {"equal": equal, "lossy": lossy, "samples": _raw(made)}
    print("\n".join([*equal, *lossy]), flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"power-{data}.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return made


def _measured(real: Scores, trials: Trials, *, seed: int) -> Measured:
    chance = np.random.default_rng(seed)
    sizes = [len(part) for part in real.before]
    alarms = {
        kind: sum(
            any(one.outcome is Outcome.FAIL for one in _judged(real, draw(real, chance, sizes)))
            for _ in range(trials.equal)
        )
        for kind, draw in (("asked again", asked_again), ("another model", another_model))
    }
    asked, passed = _passing(real, chance, sizes, trials.passing)
    return Measured(
        pair=real.pair,
        questions=(min(sizes), max(sizes)),
        alarms=alarms,
        of=trials.equal,
        equal_asked=asked,
        equal_passed=passed,
        losses=[
            _lossy(real, chance, sizes, trials.lossy, kind=kind, draw=draw, lose=lose)
            for kind, draw, lose in (
                ("spread", another_model, spread),
                ("whole answers", asked_again, whole_answers),
            )
        ],
    )


def asked_again(real: Scores, chance: np.random.Generator, sizes: Sizes) -> Drawn:
    """Return the baseline beside itself: each question in two wordings."""
    drawn = []
    for part, size in zip(real.again, sizes, strict=True):
        questions = chance.integers(0, len(part), size)
        wordings = part.shape[1]
        first = chance.integers(0, wordings, size)
        second = (first + chance.integers(1, wordings, size)) % wordings
        drawn.append((part[questions, first], part[questions, second]))
    return drawn


def another_model(real: Scores, chance: np.random.Generator, sizes: Sizes) -> Drawn:
    """Return two models that differ by question, and in no group on average."""
    drawn = []
    for before, now, size in zip(real.before, real.now, sizes, strict=True):
        level = now - (now - before).mean()
        questions = chance.integers(0, len(before), size)
        drawn.append((before[questions], level[questions]))
    return drawn


def spread(before: Floats, now: Floats, mean: float, _: np.random.Generator) -> Floats:
    """Return scores that are all lower by the part of the baseline's mean that is lost."""
    del before
    return now - GATE.loss * mean


def whole_answers(
    before: Floats, now: Floats, mean: float, chance: np.random.Generator
) -> Floats:
    """Return scores of which that part, drawn by chance, is 0."""
    del before, mean
    return np.where(chance.random(len(now)) < GATE.loss, 0.0, now)


def _passing(
    real: Scores, chance: np.random.Generator, sizes: Sizes, trials: int
) -> tuple[list[int], list[bool]]:
    """Return the numbers that would pass an equal release, and whether all parts passed."""
    asked, passed = [], []
    for _ in range(trials):
        first = _judged(real, asked_again(real, chance, sizes), TOLERANT)
        told = [one.figures.get("queries_to_pass") for one in first[1:]]
        # A group that was not in doubt gets as many as the one that asks for most.
        most = max((one for one in told if isinstance(one, int)), default=max(sizes))
        wanted = [one if isinstance(one, int) else most for one in told]
        asked += wanted
        results = _judged(real, asked_again(real, chance, wanted), TOLERANT)
        passed.append(all(one.outcome is Outcome.PASS for one in results))
    return asked, passed


def _lossy(  # noqa: PLR0913 - what is drawn, how much of it, and how it is harmed
    real: Scores,
    chance: np.random.Generator,
    sizes: Sizes,
    trials: int,
    *,
    kind: str,
    draw: Callable[[Scores, np.random.Generator, Sizes], Drawn],
    lose: Callable[[Floats, Floats, float, np.random.Generator], Floats],
) -> Losses:
    made = Losses(kind=kind)

    def of_group(group: int, wanted: Sizes) -> GateResult:
        drawn = draw(real, chance, wanted)
        before, now = drawn[group]
        drawn[group] = before, lose(before, now, float(real.before[group].mean()), chance)
        return _judged(real, drawn)[group + 1]

    for trial in range(trials):
        group = trial % GROUPS
        first = of_group(group, sizes)
        wanted = first.figures.get("queries_to_catch")
        if first.outcome is Outcome.FAIL:
            made.caught_at_once += 1
        elif first.outcome is Outcome.PASS:
            made.passed_at_once += 1
        elif not isinstance(wanted, int):
            made.without += 1
        else:
            asked = [wanted if place == group else size for place, size in enumerate(sizes)]
            made.asked.append(wanted)
            made.caught.append(of_group(group, asked).outcome is Outcome.FAIL)
    return made


def _judged(real: Scores, drawn: Drawn, policy: Policy = POLICY) -> list[GateResult]:
    """Return what the gate says of these scores: of all questions first, then each group."""
    queries, before, now = [], {}, {}
    for group, (theirs, mine) in enumerate(drawn):
        for place, (there, here) in enumerate(zip(theirs.tolist(), mine.tolist(), strict=True)):
            name = QueryId(f"{group}-{place}")
            queries.append(Query(id=name, text=name, group=str(group)))
            before[name], now[name] = there, here
    comparison: Comparison = real.comparison
    judged = {one.id: {DocumentId("d"): 1} for one in queries}
    questions = replace(comparison.queries.questions, queries=queries, qrels=judged)
    simulated = replace(
        comparison,
        queries=replace(comparison.queries, questions=questions),
        baseline_scores={MEASURE: before},
        candidate_scores={MEASURE: now},
        scored=queries,
    )
    return judge(simulated, policy, seed=0)


def interval(count: int, of: int) -> tuple[float, float]:
    """Return where a share lies, in per cent, at 95 % (Wilson, JASA 22, 1927)."""
    z = 1.959964
    share = count / of
    middle = share + z * z / (2 * of)
    width = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = (100 * (middle + side * width) / (1 + z * z / of) for side in (-1, 1))
    return max(0.0, low), min(100.0, high)


def _share(count: int, of: int) -> str:
    if not of:
        return "-"
    low, high = interval(count, of)
    return f"{100 * count / of:.1f} % ({low:.1f} to {high:.1f})"


def _equal_row(one: Measured) -> str:
    few, many = one.questions
    alarms = " | ".join(_share(count, one.of) for count in one.alarms.values())
    passed = _share(sum(one.equal_passed), len(one.equal_passed))
    asked = f"{statistics.median(one.equal_asked):,.0f}"
    return f"| {one.pair} | {few} to {many} | {alarms} | {asked} | {passed} |"


def _lossy_rows(one: Measured) -> Iterator[str]:
    for losses in one.losses:
        asked = sorted(losses.asked) or [0]
        median = statistics.median(asked)
        total = losses.caught_at_once + losses.passed_at_once + losses.without
        yield (
            f"| {one.pair} | {losses.kind} | {median:,.0f} ({asked[0]:,} to {asked[-1]:,}) | "
            f"{_share(sum(losses.caught), len(losses.caught))} | {losses.caught_at_once} | "
            f"{losses.passed_at_once} | {total + len(losses.caught)} |"
        )


def _table() -> Iterator[str]:
    """Yield both tables from what was measured last of each data set."""
    records = [
        json.loads(file.read_text(encoding="utf-8"))
        for name in DATA
        if (file := RESULTS / f"power-{name}.json").exists()
    ]
    yield (
        "| equal releases | questions a group | fails: asked again | fails: another model "
        "| questions asked for, a group | all parts pass with them |"
    )
    yield "|---|--:|--:|--:|--:|--:|"
    yield from (row for record in records for row in record["equal"])
    yield ""
    yield (
        "| 5 % lost in one group | how | questions asked for | caught with them "
        "| failed at once | passed at once | of |"
    )
    yield "|---|---|--:|--:|--:|--:|--:|"
    yield from (row for record in records for row in record["lossy"])


def _figures(made: Sequence[Measured]) -> Iterator[tuple[str, float]]:
    for one in made:
        for kind, count in one.alarms.items():
            low, high = interval(count, one.of)
            name = f"{one.pair}: {kind}: false alarms"
            yield from ((name + " %", 100 * count / one.of), (name + " % high", high))
        if one.equal_passed:
            share = 100 * sum(one.equal_passed) / len(one.equal_passed)
            yield f"{one.pair}: equal passes at the asked %", share
        for losses in one.losses:
            if losses.caught:
                low, _ = interval(sum(losses.caught), len(losses.caught))
                name = f"{one.pair}: {losses.kind}"
                yield f"{name}: caught %", 100 * sum(losses.caught) / len(losses.caught)
                yield f"{name}: caught % low", low
                yield f"{name}: questions asked", statistics.median(losses.asked)


def _raw(made: Sequence[Measured]) -> list[dict[str, object]]:
    return [
        {
            "pair": one.pair,
            "questions_a_group": one.questions,
            "false_alarms": one.alarms,
            "evaluations": one.of,
            "equal_asked": one.equal_asked,
            "equal_passed": one.equal_passed,
            "losses": [
                {
                    "kind": losses.kind,
                    "failed_at_once": losses.caught_at_once,
                    "passed_at_once": losses.passed_at_once,
                    "without_a_number": losses.without,
                    "asked": losses.asked,
                    "caught": losses.caught,
                }
                for losses in one.losses
            ],
        }
        for one in made
    ]


def main(names: Sequence[str]) -> int:
    """Measure these data sets, or all, and write the tables into the docs."""
    if unknown := set(names) - set(DATA):
        print(f"no such data: {', '.join(sorted(unknown))}; there are: {', '.join(DATA)}")
        return 2
    wanted = {name: DATA[name] for name in names or DATA}
    print(measure_data(wanted, trials=TRIALS, seed=20_260_101, smoke=False))
    write_page()
    return 0


def write_page() -> None:
    """Write the tables into the page of the docs."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    table = "\n".join(_table())
    PAGE.write_text(f"{before}{_BEGIN}\n{table}\n\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
