"""``repoint evidence``, as a person types it."""

import json
import tarfile
from pathlib import Path

from tests.unit.cli.conftest import Shell


def test_evidence_is_exported_verified_and_trusted_by_its_key(
    shell: Shell, tmp_path: Path
) -> None:
    shell.promoted()
    shell.ok("rollback", "docs", "--reason", "worse")
    out = str(tmp_path / "incident.tar.gz")
    said = shell.ok("evidence", "export", "docs", "--move", "3", "--out", out)
    assert "diagnosis: nobody made one" in said
    assert "the very same" in shell.ok(
        "evidence", "export", "docs", "--move", "3", "--out", out
    )
    assert "this workspace's own key" in shell.ok("evidence", "verify", out)
    key = shell.file("key.json", shell.ok("evidence", "key"))
    assert set(json.loads(Path(key).read_text(encoding="utf-8"))) == {"crv", "kty", "x"}
    elsewhere = Shell(tmp_path / "elsewhere")
    untrusted = elsewhere.run("evidence", "verify", out)
    assert untrusted.exit_code == 3
    assert "nobody here vouches for" in untrusted.stdout
    assert "the key that you gave" in elsewhere.ok("evidence", "verify", out, "--key", key)


def test_what_was_changed_ends_with_6_and_says_what(shell: Shell, tmp_path: Path) -> None:
    shell.promoted()
    out = tmp_path / "b.tar.gz"
    shell.ok("evidence", "export", "docs", "--move", "2", "--out", str(out))
    folder = tmp_path / "inside"
    with tarfile.open(out) as tar:
        names = tar.getnames()
        tar.extractall(folder, filter="data")
    (folder / "policy.json").write_text("{}", encoding="utf-8")
    with tarfile.open(out, mode="w:gz") as tar:
        for name in names:
            tar.add(folder / name, arcname=name)
    assert "policy.json was changed" in shell.refused(6, "evidence", "verify", str(out))


def test_what_cannot_be_done_is_refused_with_a_way_on(shell: Shell, tmp_path: Path) -> None:
    shell.promoted()
    assert "no bundle" in shell.refused(3, "evidence", "verify", shell.file("x", "hello"))
    never = shell.refused(3, "evidence", "export", "docs", "--move", "7")
    assert "repoint history docs" in never
    other = tmp_path / "c.tar.gz"
    other.write_bytes(b"mine")
    taken = shell.refused(4, "evidence", "export", "docs", "--move", "2", "--out", str(other))
    assert "already a file" in taken
    assert "reason" in shell.refused(3, "hold", "place", "docs", "v1", "--reason", " ")
