"""What adopting would do, and what stands in its way, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from repoint.domain.access import Action
from repoint.domain.adoption import Adoption, AdoptionState, Layout
from repoint.domain.audit import Outcome
from repoint.domain.errors import (
    BadSpecError,
    WrongDeclarationError,
)
from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.spec import ReleaseSpec
from repoint.operations import naming, releases
from repoint.operations.adopt import proving
from repoint.operations.adopt.models import ProvingDrivers
from repoint.operations.adopt.proving import Proof
from repoint.operations.session import Session, authorise, record
from repoint.ports.adoption import Adopter, Foreign, Wish
from repoint.ports.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a team says of its collection, and what it allows."""

    wish: Wish
    spec: ReleaseSpec
    #: Rows that are embedded again.
    sample: int = proving.SAMPLE
    #: Share of the sample that may have other vectors: rows that were never brought up to date.
    tolerate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionPlan:
    """What adopting would do; nothing was written."""

    index: IndexName
    release: ReleaseName
    backend: str
    foreign: Foreign
    #: The spec with everything that the drivers filled in.
    spec: ReleaseSpec
    proof: Proof
    alias: str
    #: Rows that an earlier call has read already.
    done: int
    #: What stands in the way, each with what to do.
    obstacles: Sequence[str] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        """Which fields hold what."""
        return self.foreign.layout


def plan(
    session: Session,
    index: IndexName,
    name: ReleaseName,
    declared: Declaration,
    drivers: ProvingDrivers,
) -> AdoptionPlan:
    """Return what adopting would do and what stands in its way; only a sample is embedded.

    Raises:
        NotFoundError, UnsupportedError: the collection cannot be adopted as it was said.
        BadSpecError: the spec cuts texts, and a row has one vector.
    """
    authorise(session, Action.ADOPT, index)
    spec = completed(declared.spec, drivers)
    backend = spec.backend
    adopter = session.spaces.adopter(backend)
    alias = session.spaces.alias_of(backend, index)
    foreign = adopter.look(declared.wish, alias=alias)
    require_dimensions(foreign, spec)
    before = record_of(session, index, name)
    proof = proof_of(session, adopter, foreign, replace(declared, spec=spec), drivers)
    obstacles = [*in_the_way(session, index, before), *_of_name(foreign, alias, backend)]
    return AdoptionPlan(
        index=index,
        release=name,
        backend=backend,
        foreign=foreign,
        spec=spec,
        proof=proof,
        alias=alias,
        done=before.rows if before else 0,
        obstacles=obstacles,
    )


def completed(spec: ReleaseSpec, drivers: ProvingDrivers) -> ReleaseSpec:
    """Return the spec with what only the drivers know.

    Raises:
        BadSpecError: it cuts texts, and a row has one vector.
    """
    if spec.chunking.size is not None:
        raise BadSpecError(
            source="release spec",
            field="chunking.size",
            why="an adopted collection has one vector a row, so its release cuts no texts",
            hint="leave chunking out; rows that are pieces of longer texts are adopted as "
            "documents of their own, and a later release may cut again",
        )
    return releases.complete(spec, drivers)


def require_dimensions(foreign: Foreign, spec: ReleaseSpec) -> None:
    """Refuse a spec whose vectors have another length.

    Raises:
        WrongDeclarationError: they have.
    """
    if foreign.dimensions != spec.model.dimensions:
        raise WrongDeclarationError(
            collection=foreign.layout.collection,
            why=f"its vectors have {foreign.dimensions} dimensions, and the spec makes "
            f"{spec.model.dimensions}",
            differs=["model.dimensions"],
        )


def record_of(session: Session, index: IndexName, name: ReleaseName) -> Adoption | None:
    """Return what an earlier call recorded, None where nothing was begun."""
    with session.store.read() as view:
        if index not in view.indexes.names():
            return None
        return view.adoptions.get(index, name)


def in_the_way(session: Session, index: IndexName, before: Adoption | None) -> list[str]:
    """Return what of the index stands in the way of an adoption."""
    if before is not None:
        return (
            []
            if before.state is AdoptionState.SCANNING
            else [f"{before.release} of {index} was adopted already"]
        )
    with session.store.read() as view:
        if index not in view.indexes.names():
            return []
        return of_index(view, index)


def of_index(view: Transaction, index: IndexName) -> list[str]:
    """Return what an index has that a collection cannot be adopted into."""
    found = []
    if view.log.head(index):
        found.append(f"index {index!r} has documents already: adopt into an index of its own")
    if names := [release.name for release in view.releases.all(index)]:
        found.append(f"index {index!r} has releases already: {', '.join(names)}")
    return found


def _of_name(foreign: Foreign, alias: str, backend: str) -> list[str]:
    """Return what to do where the alias cannot take the index's name."""
    if not foreign.name_taken_by:
        return []
    taken = (
        f"the database's alias would be {alias!r}, and {foreign.name_taken_by} has that name"
    )
    return [f"{taken}: {naming.what_to_do(backend)}"]


def proof_of(
    session: Session,
    adopter: Adopter,
    foreign: Foreign,
    declared: Declaration,
    drivers: ProvingDrivers,
) -> Proof:
    """Embed a sample again and return what it says of the declaration."""
    with session.store.read() as view:
        others = [
            (f"release {release.name} of {index}", release.spec)
            for index in view.indexes.names()
            for release in view.releases.all(index)
        ]
    page = adopter.sample(foreign.layout, count=declared.sample, seed=foreign.rows)
    return proving.prove(
        foreign, page, declared.spec, drivers, band=proving.BAND, others=others
    )


def refuse_wrong(
    session: Session, index: IndexName, foreign: Foreign, declared: Declaration, proof: Proof
) -> None:
    """Refuse a declaration that the sample speaks against, and record that.

    Raises:
        WrongDeclarationError: it does; it names the part that differs where that is known.
    """
    within = proof.beyond <= declared.tolerate * proof.sampled
    if proof.sampled and within and not proof.differences:
        return
    error = refusal(foreign, proof)
    record(
        session,
        Action.ADOPT,
        None,
        outcome=Outcome.REFUSED,
        details={"index": index, "why": error.message, **proof.as_tree()},
    )
    raise error


def refusal(foreign: Foreign, proof: Proof) -> WrongDeclarationError:
    """Return the refusal of a declaration whose proof does not hold."""
    collection = foreign.layout.collection
    if not proof.sampled:
        return WrongDeclarationError(
            collection=collection, why="none of its rows has both a text and a vector"
        )
    counted = (
        f"{proof.beyond} of {proof.sampled} sampled vectors are not what the spec makes "
        f"(median distance {proof.median:.2g}, allowed {proof.band:.2g})"
        if proof.beyond
        else f"the {proof.sampled} sampled vectors do not have the length that the spec gives"
    )
    if proof.differences:
        parts = "; ".join(
            f"{one.part} is {one.found}, declared {one.declared}" for one in proof.differences
        )
        return WrongDeclarationError(
            collection=collection,
            why=f"{counted}: {parts}",
            differs=[one.part for one in proof.differences],
            hint="declare it so, if that is how they were made",
        )
    seen = f"nothing that was tried makes them ({proof.tried} alternatives); nearest: "
    return WrongDeclarationError(
        collection=collection,
        why=f"{counted}: {seen}{proof.nearest}; first {', '.join(proof.examples)}",
        hint="rows that were never embedded anew can be allowed: --tolerate SHARE",
    )
