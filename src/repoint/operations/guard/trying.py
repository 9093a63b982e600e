"""What a guard says of a canary: whether the candidate is surely worse, and whether it answers.

The verdict is that of ``domain.sequential``, which holds however often one looks; people see
the same one with ``repoint canary``. Questions that fail get no feedback, so no verdict would
ever tell of them: they are counted by themselves.
"""

from __future__ import annotations

from dataclasses import replace

from repoint.domain.document import Json
from repoint.domain.gates import Outcome
from repoint.domain.sequential import Verdict
from repoint.domain.triggers import CanaryTrigger
from repoint.operations.guard import figures
from repoint.operations.guard.figures import Bar, Judged
from repoint.operations.guard.sight import Sight
from repoint.operations.trial import Trial

_OUTCOMES = {
    Verdict.WORSE: Outcome.FAIL,
    Verdict.BETTER: Outcome.PASS,
    Verdict.UNDECIDED: Outcome.INCONCLUSIVE,
}


def judge(trigger: CanaryTrigger, sight: Sight, bar: Bar) -> list[Judged]:
    """Return what is said of the canary; where there is none, nothing stands against it."""
    found = sight.trial(trigger.false_alarm)
    if found is None:
        return [Judged(outcome=Outcome.PASS, summary="no canary is under way")]
    told = [_verdict(trigger, found)]
    if trigger.failed is not None:
        seen = sight.tried(found, trigger.window)
        told.append(
            figures.rate(
                trigger,
                f"questions to {found.canary.release} got no answer",
                count=seen.failed,
                total=seen.asked,
                share=trigger.failed,
                minimum=trigger.minimum_samples,
                bar=bar,
                part="failed",
            )
        )
    # What fires of these is about the canary: going back from it is to end it.
    tried: dict[str, Json] = {"canary": found.canary.release}
    return [replace(one, figures={**one.figures, **tried}) for one in told]


def _verdict(trigger: CanaryTrigger, found: Trial) -> Judged:
    said = found.decision
    what = "share preferred" if found.canary.interleaved else "difference of use"
    outcome = _OUTCOMES[said.verdict]
    if outcome is Outcome.INCONCLUSIVE and said.observations < trigger.minimum_samples:
        why = f"{said.observations} answers with feedback, fewer than {trigger.minimum_samples}"
        return figures.no_data(trigger, why)
    return Judged(
        outcome=outcome,
        summary=f"{found.canary.release} is {said.verdict}: {what} {said.estimate:+.3f} "
        f"[{said.low:+.3f}, {said.high:+.3f}] on {said.observations} answers with feedback, "
        f"{said.null:g} without a difference"
        if said.verdict is not Verdict.UNDECIDED
        else f"{said.verdict} of {found.canary.release}: {what} {said.estimate:+.3f} "
        f"[{said.low:+.3f}, {said.high:+.3f}] on {said.observations} answers with feedback",
        figures={
            "value": round(said.estimate, 6),
            "low": round(said.low, 6),
            "high": round(said.high, 6),
            "null": said.null,
            "samples": said.observations,
            "decided_at": said.decided_at,
            "false_alarm": said.alpha,
        },
    )
