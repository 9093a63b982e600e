"""Guards, written once and put into either database.

A guard is written as SQLite has it: the table and the statement that it stands before, and
the condition under which it refuses. In PostgreSQL each becomes a function and a trigger of
the same name; a guard against deleting stands before TRUNCATE as well, which would
otherwise pass by every row's trigger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import sqlalchemy as sa


def add_guards(connection: sa.Connection, guards: Mapping[str, tuple[str, str]]) -> None:
    """Put the guards into the database, within the revision's transaction."""
    for name, (statement, refused) in guards.items():
        if connection.dialect.name == "postgresql":
            for command in _in_postgres(name, statement, refused):
                connection.exec_driver_sql(command)
        else:
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name} BEFORE {statement} FOR EACH ROW WHEN {refused} "
                f"BEGIN SELECT RAISE(ABORT, '{name}'); END"
            )


def remove_guard(connection: sa.Connection, name: str, *, table: str) -> None:
    """Take a guard out, so that a revision can put another in its place."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"DROP TRIGGER {name} ON {table}")
        connection.exec_driver_sql(f"DROP FUNCTION {name}()")
    else:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


def _in_postgres(name: str, statement: str, refused: str) -> list[str]:
    condition = "true" if refused == "1" else _condition(refused)
    function = (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path FROM CURRENT AS $guard$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION '{name}' "
        f"USING ERRCODE = 'check_violation', CONSTRAINT = '{name}'; END IF; "
        "RETURN NEW; END $guard$"
    )
    commands = [
        function,
        f"CREATE TRIGGER {name} BEFORE {statement} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]
    event, _, table = statement.partition(" ON ")
    if event == "DELETE":
        commands.append(
            f"CREATE TRIGGER {name}_at_once BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
    return commands


def _condition(refused: str) -> str:
    """Return the condition with SQLite's comparison of what may be NULL said as SQL does."""
    return re.sub(r"\bIS NOT (?!NULL\b)", "IS DISTINCT FROM ", refused)
