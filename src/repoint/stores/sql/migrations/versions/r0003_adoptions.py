"""What was adopted from where."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from repoint.stores.sql.migrations.adoption_guards import GUARDS
from repoint.stores.sql.migrations.guarding import add_guards

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: In the order of code points everywhere, whatever language the database was made for.
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_METADATA: Final = sa.MetaData()


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, primary_key=key, nullable=False)


def _big(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=null)


# Made by the first revision; here only what the foreign key points at.
sa.Table("releases", _METADATA, _text("index_name", key=True), _text("name", key=True))

TABLE: Final = sa.Table(
    "adoptions",
    _METADATA,
    _text("index_name", key=True),
    _text("release", key=True),
    _text("backend"),
    _text("layout"),
    _text("state"),
    _text("cursor"),
    _big("rows"),
    _big("without_text"),
    _big("total"),
    _text("actor"),
    _big("started_at"),
    _big("finished_at", null=True),
    _text("proof"),
    sa.ForeignKeyConstraint(
        ["index_name", "release"], ["releases.index_name", "releases.name"]
    ),
    sa.CheckConstraint(
        "state IN ('scanning', 'adopted', 'let-go')", name="adoption_state_is_known"
    ),
    sqlite_strict=True,
)


def upgrade() -> None:
    """Make the table and its guards."""
    connection = op.get_bind()
    TABLE.create(connection)
    add_guards(connection, GUARDS)
