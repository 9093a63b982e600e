"""Write the generated reference pages, and say which were not current.

A page that can be derived from the code is never written by hand: it has a row in ``PAGES``.
The pages are written either way; the exit status is 1 when one had changed, so that a check
fails until the new text is committed. ``tests/docs`` may call ``stale`` to do the same.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from repoint.wiring.spec_reference import spec_reference

ROOT: Final = Path(__file__).resolve().parent.parent

#: From a page's path, relative to the checkout, to what renders its whole text.
PAGES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {"docs/reference/spec.md": spec_reference}
)


def stale(root: Path = ROOT) -> dict[str, str]:
    """Return the text of each page whose file is missing or says something else."""
    texts = {name: render() for name, render in PAGES.items()}
    return {name: text for name, text in texts.items() if _read(root / name) != text}


def main() -> int:
    """Write the pages that are not current; return 1 if there was one."""
    changed = stale()
    for name, text in changed.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"written: {name}")
    print(f"{len(PAGES)} generated pages, {len(changed)} of them were not current")
    return 1 if changed else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
