"""A small story in which every claim holds, for tests to break in one place."""

from repoint.demo.claims import Standing, Version
from repoint.demo.records import Applied, Asked, Seen, Turn, Written
from repoint.domain.document import Document
from repoint.domain.ids import DocumentId

A, B, C = DocumentId("a"), DocumentId("b"), DocumentId("c")


def document(name: DocumentId, text: str) -> Document:
    return Document(id=name, text=text)


WRITES = [
    Written(document=A, lsn=11, content=document(A, "one"), acknowledged=1.0, what="add"),
    Written(document=B, lsn=12, content=document(B, "two"), acknowledged=1.1, what="add"),
    Written(document=A, lsn=13, content=document(A, "more"), acknowledged=1.2, what="edit"),
    Written(document=B, lsn=14, content=None, acknowledged=1.3, what="delete"),
]
NEWEST = {write.document: write for write in WRITES}
STANDING = Standing(
    log={A: (13, document(A, "more").content_hash()), B: None},
    collections={"v1": {A: 13}, "v2": {A: 13}},
    found={A: True},
)
APPLIED = [
    Applied(at=0.5, active="v1", watermarks={"v1": 10, "v2": 10}),
    Applied(at=2.0, active="v1", watermarks={"v1": 14, "v2": 14}),
]
TURNS = [
    Turn(epoch=1, release="v1", what="promote", began=0.0, done=0.1),
    Turn(epoch=2, release="v2", what="promote", began=2.5, done=3.0),
]
RELEASES = {1: "v1", 2: "v2"}
EXPECTED = {
    ("v1", 0, Version(document=A, lsn=13)): 0.8,
    ("v2", 0, Version(document=A, lsn=13)): 0.4,
}


def asked(
    *,
    began: float = 2.2,
    release: str = "v1",
    epoch: int = 1,
    hits: tuple[Seen, ...] = (Seen(document=A, lsn=13, score=0.8),),
    error: str = "",
) -> Asked:
    return Asked(
        reader="thread-1",
        question=0,
        began=began,
        ended=began + 0.01,
        release=release,
        epoch=epoch,
        hits=hits,
        error=error,
    )
