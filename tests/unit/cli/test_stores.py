"""``repoint init --store`` and ``repoint store``, as a person types them."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_shapes import PROMISED, shape

from repoint.testing.postgres import PostgresServer

server = pytest.mark.server("postgres")


@server
def test_a_file_becomes_a_database_and_both_are_shown(
    docs: Shell,
    postgres_url: str,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "sqlite" in docs.ok("store", "show")

    result = docs.run("store", "migrate", "--to", postgres_url, "--json")

    assert result.exit_code == 0, result.output
    moved = json.loads(result.stdout)
    rows = moved["rows"]
    assert shape({**moved, "rows": {"TABLE": rows["documents"]}}) == PROMISED["store migrate"]
    assert all(isinstance(count, int) for count in rows.values())
    assert postgres_server.password not in result.output
    assert postgres_server.password not in (docs.home / "repoint.toml").read_text()
    monkeypatch.setenv("REPOINT_STORE_URL", postgres_url)
    shown = docs.ok("store", "show")
    assert "postgres: postgresql://owner@127.0.0.1" in shown
    assert "ms from the server's" in shown
    assert postgres_server.password not in shown
    assert "records, all verified" in docs.ok("audit", "verify")
    assert "no file" in docs.refused(3, "store", "migrate", "--to", postgres_url)


@server
def test_a_workspace_begins_on_postgres(
    shell: Shell,
    postgres_url: str,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = shell.ok("init", "--store", postgres_url)

    assert postgres_server.password not in said
    assert postgres_server.password not in (shell.home / "repoint.toml").read_text()
    unauthorised = shell.refused(5, "index", "list")
    assert "REPOINT_STORE_URL" in unauthorised
    monkeypatch.setenv("REPOINT_STORE_URL", postgres_url)
    shell.ok("index", "create", "docs")
    assert "docs" in shell.ok("index", "list")


def test_a_url_of_another_database_is_refused_and_not_repeated(
    shell: Shell, tmp_path: Path
) -> None:
    said = shell.refused(3, "init", "--store", "mysql://me:hidden@host/x")

    assert "hidden" not in said
    assert "postgresql://" in said
    assert not any(tmp_path.rglob("repoint.toml"))
