"""Every spec on a page and in the examples can be read, and those that can run here do."""

import re
from pathlib import Path
from typing import Final

import pytest

from repoint.domain.spec import ReleaseSpec
from repoint.ports.embedder import Purpose
from repoint.wiring.clock import SystemClock
from repoint.wiring.drivers import InstalledDrivers
from repoint.wiring.policy_file import load_policy
from repoint.wiring.spec_file import load_spec

ROOT: Final = Path(__file__).resolve().parents[2]
_SPEC: Final = re.compile(
    r"(?P<needs><!-- needs: [^\n]+ -->\n)?^```yaml\n(?P<text>model:.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_POLICY: Final = re.compile(
    r"^```yaml\n(?P<text>(?:(?!^```).)*?^gates:.*?)^```$", re.MULTILINE | re.DOTALL
)


def _shown() -> dict[str, tuple[str, bool]]:
    """Return each spec by where it stands, and whether it can run here."""
    found: dict[str, tuple[str, bool]] = {}
    for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]:
        text = page.read_text(encoding="utf-8")
        for spec in _SPEC.finditer(text):
            line = text[: spec.start()].count("\n") + 1
            found[f"{page.name}:{line}"] = (spec["text"], not spec["needs"])
    for file in sorted(ROOT.glob("examples/*/*.yaml")):
        text = file.read_text(encoding="utf-8")
        if re.search(r"^model:", text, re.MULTILINE):
            found[file.name] = (text, True)
    return found


def _policies() -> dict[str, str]:
    """Return each policy by where it stands."""
    found: dict[str, str] = {}
    for page in sorted(ROOT.glob("docs/**/*.md")):
        text = page.read_text(encoding="utf-8")
        for policy in _POLICY.finditer(text):
            line = text[: policy.start()].count("\n") + 1
            found[f"{page.name}:{line}"] = policy["text"]
    for file in sorted(ROOT.glob("examples/*/policy.yaml")):
        found[file.name] = file.read_text(encoding="utf-8")
    return found


SHOWN: Final = _shown()
POLICIES: Final = _policies()


@pytest.mark.parametrize("where", SHOWN)
def test_a_spec_on_a_page_can_be_read(where: str) -> None:
    assert isinstance(load_spec(SHOWN[where][0], source=where), ReleaseSpec)


@pytest.mark.parametrize("where", POLICIES)
def test_a_policy_on_a_page_can_be_read(where: str) -> None:
    assert load_policy(POLICIES[where], source=where).gates


@pytest.mark.models
@pytest.mark.parametrize("where", [where for where, (_, runs) in SHOWN.items() if runs])
def test_a_model_on_a_page_gives_vectors(where: str, tmp_path: Path) -> None:
    spec = load_spec(SHOWN[where][0], source=where)
    drivers = InstalledDrivers(tmp_path, clock=SystemClock())
    try:
        rows = drivers.embedder(spec.model).embed(["a text"], purpose=Purpose.DOCUMENT)
        assert rows.shape == (1, spec.model.dimensions)
    finally:
        drivers.close()
