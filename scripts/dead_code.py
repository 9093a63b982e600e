"""List what is defined under ``src`` and used nowhere, not even in a test.

Vulture finds names that nothing refers to. Its findings about variables are left out: ruff
checks arguments and locals, and the fields of a value and the parameters of a protocol look
unused to it by nature.
"""

import sys
from pathlib import Path
from typing import Final

from vulture import Vulture  # type: ignore[import-untyped]  # it ships no types

ROOT: Final = Path(__file__).resolve().parent.parent

#: Called by a framework that finds them by decorator: the commands, routes and validators.
CALLED_BY_DECORATOR: Final = (
    "@*.callback",
    "@*.command",
    "@command",
    "@compiles",
    "@*.delete",
    "@*.exception_handler",
    "@*.get",
    "@*.middleware",
    "@*.post",
    "@*.put",
    "@field_validator",
    "@model_validator",
    "@pytest.fixture",
)
#: Called by a name fixed elsewhere: pytest's hooks and tests, pydantic's settings, a request
#: handler's methods, what is set on the objects of onnxruntime, tokenizers and uvicorn, the
#: methods of an importer, a flag provider, a command group and a metric collector, protocols
#: named in casts, a YAML writer's settings, and what Python itself calls on a class.
CALLED_BY_NAME: Final = (
    "Test*",
    "__*__",
    "*Driver",
    "Representer",
    "allow_unicode",
    "collect",
    "create_module",
    "default_flow_style",
    "do_POST",
    "exec_module",
    "find_spec",
    "format_commands",
    "get_metadata",
    "handle_error",
    "intra_op_num_threads",
    "list_commands",
    "log_message",
    "log_severity_level",
    "model_config",
    "normalizer",
    "pre_tokenizer",
    "pytest_*",
    "resolve_*",
    "settings_customise_sources",
    "should_exit",
    "sort_base_mapping_type_on_output",
    "test_*",
    "version_string",
)


def main() -> int:
    """Print each finding; return 1 if there was one."""
    vulture = Vulture(ignore_names=CALLED_BY_NAME, ignore_decorators=CALLED_BY_DECORATOR)
    vulture.scavenge([str(ROOT / name) for name in ("src", "tests", "bench", "scripts")])
    found = [
        item
        for item in vulture.get_unused_code(min_confidence=60)
        if item.typ != "variable" and item.filename.is_relative_to(ROOT / "src")
    ]
    for item in found:
        where = item.filename.relative_to(ROOT)
        print(f"{where}:{item.first_lineno}: nothing uses the {item.typ} {item.name!r}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
