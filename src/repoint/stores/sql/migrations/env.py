"""Run by Alembic: applies revisions on the connection that the caller opened.

The caller's transaction is the migration's, so a failing revision leaves nothing behind.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
