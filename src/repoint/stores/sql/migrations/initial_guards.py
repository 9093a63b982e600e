"""The guards of the first revision; like it, they never change."""

from __future__ import annotations

from typing import Final

#: Table and statement that each guard stands before, and when it refuses. A guard's name is
#: the sentence that it holds; ``tests/unit/stores/test_schema_invariants.py`` breaks each.
GUARDS: Final = {
    "head_never_falls": ("UPDATE OF head ON indexes", "NEW.head < OLD.head"),
    "index_is_never_removed": ("DELETE ON indexes", "1"),
    "document_never_goes_back": ("UPDATE OF lsn ON documents", "NEW.lsn < OLD.lsn"),
    "first_lsn_is_kept": (
        "UPDATE OF first_lsn ON documents",
        "NEW.first_lsn <> OLD.first_lsn",
    ),
    "field_type_is_kept": (
        "UPDATE OF type ON fields",
        "OLD.type IS NOT NULL AND NEW.type IS NOT OLD.type",
    ),
    "spec_is_immutable": (
        """UPDATE OF index_name, name, ordinal, spec, fingerprint, collection, created_at
        ON releases""",
        "1",
    ),
    "release_is_never_removed": ("DELETE ON releases", "1"),
    "needed_release_is_never_dropped": (
        "UPDATE OF state ON releases",
        """NEW.state = 'dropped' AND (
            EXISTS (SELECT 1 FROM holds WHERE index_name = NEW.index_name
                    AND release = NEW.name)
            OR EXISTS (SELECT 1 FROM moves WHERE index_name = NEW.index_name
                       AND NEW.name IN (after_active, after_fallback)
                       AND epoch = (SELECT max(epoch) FROM moves
                                    WHERE index_name = NEW.index_name)))""",
    ),
    "watermark_never_falls": (
        "UPDATE ON watermarks",
        """NEW.generation < OLD.generation OR (NEW.watermark < OLD.watermark AND NOT (
            NEW.watermark = 0 AND NEW.generation = OLD.generation + 1))""",
    ),
    "watermark_never_passes_head": (
        "UPDATE OF watermark ON watermarks",
        "NEW.watermark > (SELECT head FROM indexes WHERE name = NEW.index_name)",
    ),
    "watermark_starts_at_zero": (
        "INSERT ON watermarks",
        "NEW.watermark <> 0 OR NEW.generation <> 0",
    ),
    "watermark_is_never_removed": ("DELETE ON watermarks", "1"),
    "attempts_never_fall": ("UPDATE OF attempt ON ranges", "NEW.attempt < OLD.attempt"),
    "done_stays_done": ("UPDATE OF done ON ranges", "NEW.done < OLD.done"),
    "slots_never_fall": ("UPDATE OF slots ON slots", "NEW.slots < OLD.slots"),
    "epoch_rises_by_one": (
        "INSERT ON moves",
        """NEW.epoch <> 1 + coalesce(
            (SELECT max(epoch) FROM moves WHERE index_name = NEW.index_name), 0)""",
    ),
    "moves_are_a_chain": (
        "INSERT ON moves",
        """NEW.before_active IS NOT (
            SELECT after_active FROM moves
            WHERE index_name = NEW.index_name ORDER BY epoch DESC LIMIT 1)
        OR NEW.before_fallback IS NOT (
            SELECT after_fallback FROM moves
            WHERE index_name = NEW.index_name ORDER BY epoch DESC LIMIT 1)""",
    ),
    "moves_are_append_only": ("UPDATE ON moves", "1"),
    "moves_are_never_removed": ("DELETE ON moves", "1"),
    "finished_operation_stays_finished": (
        "UPDATE ON operations",
        "OLD.step IN ('done', 'abandoned')",
    ),
    "moved_operation_stays_moved": (
        "UPDATE OF step ON operations",
        "OLD.step = 'moved' AND NEW.step = 'intended'",
    ),
    "finished_rollout_stays_finished": (
        "UPDATE ON rollouts",
        "OLD.phase NOT IN ('preparing', 'soaking')",
    ),
    "audit_is_append_only": ("UPDATE ON audit", "1"),
    "audit_is_never_removed": ("DELETE ON audit", "1"),
    "audit_is_a_chain": (
        "INSERT ON audit",
        """NEW.sequence <> 1 + coalesce((SELECT max(sequence) FROM audit), 0)
        OR NEW.previous <> coalesce(
            (SELECT digest FROM audit ORDER BY sequence DESC LIMIT 1),
            '0000000000000000000000000000000000000000000000000000000000000000')""",
    ),
}
