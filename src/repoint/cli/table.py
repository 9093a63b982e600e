"""Every command's place and sentence, so that help needs no command's module.

``tests/unit/cli/test_table.py`` fails when a sentence here is not the docstring's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Entry(NamedTuple):
    """Where a command is defined, and its one sentence."""

    module: str
    sentence: str


#: In the order of the help page: the order in which one meets them.
COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "init": Entry("workspace", "Make a workspace: control store, config, one folder."),
        "index": Entry("indexes", "Make indexes and list them."),
        "ingest": Entry("documents", "Write documents from files into an index's log."),
        "source": Entry("sources", "Feed an index from your own system of record."),
        "delete": Entry(
            "documents", "Write tombstones: every live release loses the documents."
        ),
        "adopt": Entry(
            "adopting", "Make a collection that you have a release, where it stands."
        ),
        "absorb": Entry(
            "adopting", "Take in what was done to an adopted collection without repoint."
        ),
        "erase": Entry(
            "erasing", "Delete documents and prove that nothing of them is left anywhere."
        ),
        "release": Entry("releases", "Make, show, list and compare releases."),
        "sync": Entry("syncing", "Bring a release into step with the log."),
        "queries": Entry(
            "queries",
            "Add, judge, show and list the questions that releases are measured with.",
        ),
        "policy": Entry("policies", "Set and show what must hold before a release may answer."),
        "evaluate": Entry(
            "evaluating", "Ask two releases the same questions, and judge the difference."
        ),
        "runs": Entry("runs", "List and show stored evaluations and runs."),
        "drill": Entry(
            "drilling",
            "Rehearse a promotion and its rollback, without touching what is served.",
        ),
        "grants": Entry("granting", "Say which grants of the databases a move needs."),
        "promote": Entry("moves", "Let a release answer, once it is ready."),
        "search": Entry("asking", "Ask whoever answers now, or a release by name."),
        "route": Entry(
            "routes", "Print who answers now: collection, query model and epoch as one object."
        ),
        "status": Entry("state", "Show who answers and how far every live release is behind."),
        "history": Entry("state", "List the pointer's moves, newest first."),
        "check": Entry("state", "Go through the rollback checklist."),
        "shadow": Entry(
            "shadowing",
            "Ask another release the live queries too, and compare; nobody gets its answers.",
        ),
        "canary": Entry(
            "canaries",
            "Let a candidate answer a sticky share of the live queries, or show how it does.",
        ),
        "feedback": Entry(
            "canaries",
            "Say what became of an answer: which hits were clicked, or how they were judged.",
        ),
        "telemetry": Entry(
            "telemetry", "Show what was measured of live queries, by release and arm."
        ),
        "diff": Entry("diffing", "Compare a release with the log, or two releases."),
        "rollback": Entry("moves", "Go back to the fallback, and prove that it answers."),
        "guard": Entry(
            "guarding",
            "Go back by itself when a declared trigger fires; show what was decided.",
        ),
        "diagnose": Entry(
            "diagnosing", "Say what made a release worse: model, migration, setting, provider."
        ),
        "freeze": Entry("freezing", "Let nothing move forward; going back stays possible."),
        "unfreeze": Entry("freezing", "Let things move forward again."),
        "accept": Entry("ends", "End the soak: the release stays, its fallback is let go."),
        "abort": Entry("ends", "End the open rollout before any move."),
        "retire": Entry("ends", "Stop keeping a release in step, so that it may be dropped."),
        "drop": Entry("ends", "Delete a retired release's collection."),
        "hold": Entry("holds", "Show, place and lift what forbids dropping a release."),
        "evidence": Entry("evidence", "Export and verify what explains a move of the pointer."),
        "dead-letters": Entry("letters", "List the documents that a release could not take."),
        "backends": Entry(
            "databases", "List the databases that specs may name, and what each can do."
        ),
        "bridge": Entry(
            "bridges", "Reach a release whose query model is gone through a living model."
        ),
        "worker": Entry("working", "Keep all live releases in step until told to stop."),
        "render": Entry("rendering", "Write the route into a file, for what is deployed anew."),
        "serve": Entry(
            "serving",
            "Give routes over HTTP, and take pushes, until told to stop.",
        ),
        "store": Entry("stores", "Show where the control store is, and move it to PostgreSQL."),
        "reconcile": Entry("workspace", "Finish what a crash left half done."),
        "roles": Entry("roles", "Say who may do what."),
        "audit": Entry("audit", "Read and verify the record of all actions."),
        "demo": Entry("showing", "See a bad update and its rollback on this machine."),
        "version": Entry("workspace", "Print the version."),
    }
)
