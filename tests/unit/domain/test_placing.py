"""Where a release's vectors are, and which releases may share objects."""

import dataclasses
from datetime import UTC, datetime

import pytest

from repoint.domain.errors import BadSpecError
from repoint.domain.ids import CollectionName, Epoch, IndexName, ReleaseName
from repoint.domain.placing import Place, among_objects, place_of, require_same_objects
from repoint.domain.pointer import Pointer
from repoint.domain.release import Release, ReleaseState
from repoint.domain.service_route import ServiceRoute
from repoint.domain.spec import ChunkingSpec, ChunkUnit, ModelSpec, ReleaseSpec, TextSpec

DOCS = IndexName("docs")
SPEC = ReleaseSpec(model=ModelSpec(provider="onnx", dimensions=64))


def _release(
    spec: ReleaseSpec, *, name: str = "v1", state: ReleaseState = ReleaseState.LIVE
) -> Release:
    fingerprint = spec.fingerprint()
    return Release(
        index=DOCS,
        name=ReleaseName(name),
        spec=spec,
        fingerprint=fingerprint,
        collection=among_objects(DOCS, CollectionName(f"docs_{name}_{fingerprint[:12]}")),
        state=state,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_a_name_says_the_collection_and_the_vector() -> None:
    own = CollectionName("docs_v1_0123456789ab")
    assert place_of(own) == Place(own)
    shared = among_objects(DOCS, own)
    assert place_of(shared) == Place(CollectionName("docs_objects"), own)


def test_indexes_whose_names_differ_in_a_dot_share_no_objects() -> None:
    own = CollectionName("x")
    names = [among_objects(IndexName(one), own) for one in ("a.b", "a_b", "a-b")]
    assert len(set(names)) == 3


def test_releases_whose_names_differ_in_a_dot_have_vectors_of_their_own() -> None:
    """And names that a database takes, which may allow letters, digits and underscores."""
    own = [CollectionName(f"docs_{one}_0123456789ab") for one in ("v.1", "v-1", "v_1")]
    fields = [place_of(among_objects(DOCS, one)).vector_field for one in own]
    assert len(set(fields)) == 3
    assert all(one is not None and one.replace("_", "").isalnum() for one in fields)


def test_the_route_gives_the_collection_and_the_vector_as_one() -> None:
    release = _release(SPEC)
    pointer = Pointer(index=DOCS, epoch=Epoch(3), active=release.name, fallback=None)
    tree = ServiceRoute.of(pointer, release, None).tree()
    assert (tree["collection"], tree["vector_field"]) == (
        "docs_objects",
        f"docs_v1_{release.fingerprint[:12]}",
    )
    own = dataclasses.replace(release, collection=CollectionName("docs_v1"))
    tree = ServiceRoute.of(pointer, own, None).tree()
    assert (tree["collection"], tree["vector_field"]) == ("docs_v1", None)


TOKENS = dataclasses.replace(SPEC, chunking=ChunkingSpec(size=64, unit=ChunkUnit.TOKENS))


@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        (SPEC, dataclasses.replace(SPEC, text=TextSpec(steps=("nfc",))), "text.steps"),
        (SPEC, dataclasses.replace(SPEC, text=TextSpec(template="{text}")), "text.template"),
        (SPEC, dataclasses.replace(SPEC, chunking=ChunkingSpec(size=9)), "chunking.size"),
        (SPEC, dataclasses.replace(SPEC, libraries={"u": "1"}), "libraries.u"),
        (
            TOKENS,
            dataclasses.replace(TOKENS, model=ModelSpec(provider="static", dimensions=64)),
            "model.provider",
        ),
    ],
)
def test_what_makes_other_objects_is_refused_and_named(
    first: ReleaseSpec, second: ReleaseSpec, field: str
) -> None:
    new = _release(second, name="v2")
    with pytest.raises(BadSpecError, match="v1, whose objects it would share") as caught:
        require_same_objects(new, [_release(first)])
    assert caught.value.field == field
    require_same_objects(new, [_release(first, state=ReleaseState.DROPPED)])
    alone = dataclasses.replace(_release(first), collection=CollectionName("docs_v1"))
    require_same_objects(new, [alone])


def test_another_model_distance_and_query_side_may_share_objects() -> None:
    other = ReleaseSpec(model=ModelSpec(provider="static", dimensions=8), min_score=0.3)
    require_same_objects(_release(other, name="v2"), [_release(SPEC)])
