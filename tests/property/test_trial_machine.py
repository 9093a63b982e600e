"""Whatever happens while canaries run and documents are erased: INV-1 to INV-10 hold."""

from collections.abc import Callable, Iterator

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import invariant, rule
from tests.property.test_release_machine import (
    ReleaseMachine,
    ids,
    names,
    operators,
    search,
    search_for,
    sweep,
)

from repoint.domain.canary import Canary
from repoint.domain.errors import ConflictError, FrozenError, RefusedError, RefusedMoveError
from repoint.domain.ids import DocumentId, Epoch, ReleaseName
from repoint.domain.release import ReleaseState
from repoint.operations import reconcile
from repoint.operations.erase import erase, unfinished
from repoint.operations.session import Session
from repoint.testing.faults import Fuse
from repoint.testing.stage import INDEX

shares = st.sampled_from([0.1, 0.5, 1.0])
#: It names no document.
WHY = "request 1"


@pytest.fixture(scope="module", autouse=True)
def _no_folder_stays_behind() -> Iterator[None]:
    yield
    sweep()


class TrialMachine(ReleaseMachine):
    """Also candidates that answer a share of the keys, and people who want to be forgotten."""

    # Canaries

    def wanted(self, name: str, share: float, *, interleaved: bool) -> Canary:
        """Return the canary that such a command makes."""
        now = self.model.canary
        goes_on = now and (now.release, now.interleaved) == (name, interleaved)
        return Canary(
            release=ReleaseName(name),
            share=share,
            since=now.since if now and goes_on else Epoch(self.model.epoch + 1),
            interleaved=interleaved,
        )

    @rule(who=operators, name=names, share=shares, interleaved=st.booleans())
    def try_out(self, who: int, name: str, share: float, *, interleaved: bool) -> None:
        model, by = self.model, self.operators[who]
        wanted = self.wanted(name, share, interleaved=interleaved)
        may = (
            model.states.get(name) is ReleaseState.LIVE
            and model.active not in {None, name}
            and model.fallback is None
            and self.rollout() in {None, name}
            and not (model.frozen and wanted.grows_from(model.canary))
        )
        if not may:
            with pytest.raises((RefusedError, ConflictError, FrozenError)):
                self.stage.canary(name, share=share, interleaved=interleaved, by=by)
            return
        report = self.stage.canary(name, share=share, interleaved=interleaved, by=by)
        model.epoch, model.canary = model.epoch + 1, wanted
        assert (report.epoch, report.canary) == (model.epoch, wanted)

    @rule(who=operators)
    def end_trial(self, who: int) -> None:
        if self.model.canary is None:
            with pytest.raises(RefusedMoveError):
                self.stage.stop_canary(by=self.operators[who])
            return
        self.stage.stop_canary(by=self.operators[who])
        self.model.epoch, self.model.canary = self.model.epoch + 1, None

    @rule(
        name=names,
        share=shares | st.none(),
        at=st.integers(1, 30),
        after=st.booleans(),
        mend=st.booleans(),
    )
    def crash_in_trial(
        self, name: str, share: float | None, at: int, *, after: bool, mend: bool
    ) -> None:
        """Cut the power while a canary begins, changes or ends."""
        wanted = None if share is None else self.wanted(name, share, interleaved=False)
        verb: Callable[[Session], object] = (
            (lambda dying: self.stage.stop_canary(by=dying))
            if share is None
            else (lambda dying: self.stage.canary(name, share=share, by=dying))
        )
        self.cut(verb, Fuse(at, after=after), mend=mend)
        with self.stage.store.read() as view:
            epoch = view.pointers.pointer(INDEX).epoch
        if epoch != self.model.epoch:
            self.model.epoch, self.model.canary = self.model.epoch + 1, wanted

    # Erasures

    @rule(who=operators, gone=st.lists(ids, min_size=1, max_size=3))
    def erase(self, who: int, gone: list[str]) -> None:
        report = erase(
            self.operators[who], INDEX, [DocumentId(one) for one in gone], reason=WHY
        )
        assert report.verified, report.findings
        self.model.written |= dict.fromkeys(gone)
        self.model.erased |= set(gone)

    @rule(
        gone=st.lists(ids, min_size=1, max_size=2),
        at=st.integers(1, 60),
        after=st.booleans(),
        mend=st.booleans(),
    )
    def crash_in_erasure(self, gone: list[str], at: int, *, after: bool, mend: bool) -> None:
        """Cut the power while documents are erased; what began is finished by somebody."""
        named = [DocumentId(one) for one in gone]
        with self.stage.store.read() as view:
            before = view.erasures.count()
        self.cut(
            lambda dying: erase(dying, INDEX, named, reason=WHY),
            Fuse(at, after=after),
            mend=mend,
        )
        with self.stage.store.read() as view:
            began = view.erasures.count() > before
        if began:
            self.model.written |= dict.fromkeys(gone)
            if not mend:
                reconcile.reconcile(self.operators[1])
            assert unfinished(self.stage.session, INDEX) == []
            self.model.erased |= set(gone)

    # What must always hold

    @invariant()
    def what_was_erased_is_nowhere(self) -> None:
        """Look into every collection, also of releases that failed, are held or retired."""
        stage, erased = self.stage, [DocumentId(one) for one in sorted(self.model.erased)]
        for name, state in self.model.states.items():
            release = stage.release(name)
            there = release.collection in stage.backend.collections()
            assert there or state is not ReleaseState.LIVE
            if there:
                collection = stage.backend.open(
                    release.collection, fingerprint=release.fingerprint
                )
                assert not collection.stored(erased).documents, f"{name} has it again"
        with stage.store.read() as view:
            rows = view.log.get(INDEX, erased)
            letters = [
                letter.document
                for name in self.model.states
                for letter in view.dead_letters.all(INDEX, ReleaseName(name))
            ]
        assert not [row.id for row in rows.values() if row.document is not None]
        assert not set(letters) & set(erased)


def test_no_order_of_trials_and_erasures_breaks_an_invariant() -> None:
    search(TrialMachine, part=8)


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_no_order_of_trials_and_erasures_breaks_an_invariant_for_a_long_time(
    campaign_seconds: float,
) -> None:
    search_for(TrialMachine, campaign_seconds)
