"""Every spec on a page and in the examples can be read, and those that can run here do."""

import re
from pathlib import Path
from typing import Final

import pytest

from repoint.domain.spec import ReleaseSpec
from repoint.ports.embedder import Purpose
from repoint.wiring.clock import SystemClock
from repoint.wiring.drivers import InstalledDrivers
from repoint.wiring.spec_file import load_spec

ROOT: Final = Path(__file__).resolve().parents[2]
_SPEC: Final = re.compile(
    r"(?P<needs><!-- needs: [^\n]+ -->\n)?^```yaml\n(?P<text>model:.*?)^```$",
    re.MULTILINE | re.DOTALL,
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
        found[file.name] = (file.read_text(encoding="utf-8"), True)
    return found


SHOWN: Final = _shown()


@pytest.mark.parametrize("where", SHOWN)
def test_a_spec_on_a_page_can_be_read(where: str) -> None:
    assert isinstance(load_spec(SHOWN[where][0], source=where), ReleaseSpec)


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
