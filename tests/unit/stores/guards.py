"""All guards of all revisions, by name."""

import importlib
import pkgutil

from repoint.stores.sql import migrations


def every_guard() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for module in pkgutil.iter_modules(migrations.__path__):
        if module.name.endswith("_guards"):
            found |= importlib.import_module(f"{migrations.__name__}.{module.name}").GUARDS
    return found
