"""Write the generated reference pages, and say which were not current.

A page that can be derived from the code is never written by hand: it has a row in ``PAGES``.
The pages are written either way; the exit status is 1 when one had changed, so that a check
fails until the new text is committed. ``tests/docs`` may call ``stale`` to do the same.
"""

import ast
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel
from typer.core import TyperGroup
from typer.testing import CliRunner

from repoint.cli.app import app
from repoint.cli.lazy import load
from repoint.cli.table import COMMANDS
from repoint.domain import errors
from repoint.domain.access import NEEDS, Role
from repoint.domain.errors import RepointError
from repoint.domain.rollout import FINAL, FORWARD, TRANSITIONS, Phase
from repoint.http.reference import http_reference
from repoint.ports.backend import Capabilities
from repoint.wiring.config import BackendConfig, ChatConfig, Config
from repoint.wiring.drivers import BACKENDS
from repoint.wiring.policy_reference import policy_reference
from repoint.wiring.spec_reference import spec_reference

ROOT: Final = Path(__file__).resolve().parent.parent
#: What the tests of the command line hold every ``--json`` to.
SHAPES: Final = ROOT / "tests/unit/cli/shapes.json"

_STATUSES: Final = """| status | meaning |
|--:|---|
| 0 | done |
| 1 | a bug in repoint; the message names the file with the report |
| 2 | the command line was wrong |
| 3 | refused, nothing was changed; or what was found is not clean, see below |
| 4 | conflict: someone else moved first; read again, then decide again |
| 5 | unavailable: a dependency did not answer; asking again is safe |
| 6 | corruption: an invariant is broken; stop and call a person |
| 130, 143 | stopped by Ctrl-C or SIGTERM; the message says what is safe |
| 141 | whoever read the output went away |

"Not clean" is 3 as well: `diff` found differences, a finding of `check` or `drill` failed, a
trigger of `guard --once` fires, `sync` stopped before the head, `dead-letters --retry` or
`reconcile` left something, or a rollback moved the pointer and a check failed afterwards. The
answer is then printed as always, findings and all.
"""

_CLI: Final = """# Commands

`--home`, `--json` and `--actor` are taken before and after a command's name. What a command
prints for machines is in [JSON output](json.md), what it refuses in [errors](errors.md).

## Exit statuses

"""

_JSON: Final = """# JSON output

With `--json` a command prints one JSON value on standard output when it did what was asked, or
reports what it found. Progress and hints stay on standard error. When it ends with an error,
standard output stays empty and standard error holds one object `{"error": …}`. The exit status
is the same as without `--json`.

## What may change

Within one major version

- fields may be added anywhere, so read by name and ignore what you do not know;
- no field leaves or changes its kind or meaning, and none that always had a value becomes null;
- lists keep their stated order; the order of an object's fields means nothing;
- the sets of check names, error codes, states and kinds may grow; existing ones stay;
- texts for people (`summary`, `message`, `hint`, `remedy`, `why`) may change at any time:
  decide by `code`, `check`, `status` and the figures.

Moments are ISO 8601 in UTC, durations are seconds unless the name says `_ms`, absent is `null`.
`tests/unit/cli/shapes.json` holds every shape, and a test compares the commands with it.

## Shapes

Each value stands for its kind. `null` stands where the example had nothing: such a field holds
null or a value. Objects under `figures`, `details`, `metadata`, `checked`, `counts`, `outcome`
and `spec` have the fields of their case; those under `releases` and `lag` are named by release.
"""


def cli_reference() -> str:
    """Return the page of commands, from what ``--help`` prints."""
    parts = [_CLI + _STATUSES, f"## repoint\n\n{_help()}"]
    for name in COMMANDS:
        parts.append(f"## repoint {name}\n\n{_help(name)}")
        loaded = load(name)
        if isinstance(loaded, TyperGroup):
            parts += [
                f"### repoint {name} {sub}\n\n{_help(name, sub)}" for sub in loaded.commands
            ]
    return "\n".join(parts)


def json_reference() -> str:
    """Return the page of JSON shapes, from what the tests hold the commands to."""
    shapes = json.loads(SHAPES.read_text(encoding="utf-8"))
    parts = [_JSON]
    for name, shape in shapes.items():
        title = "Errors" if name == "error" else f"`{name} --json`"
        parts.append(f"### {title}\n\n```json\n{json.dumps(shape, indent=2)}\n```\n")
    return "\n".join(parts)


def errors_reference() -> str:
    """Return the page of error codes, family by family."""
    parts = [
        "# Errors\n\nThe family says what to do next; `code` is stable, messages are not.\n",
        _STATUSES,
    ]
    for family in RepointError.__subclasses__():
        lines = ["| code | exit | HTTP | retry | meaning |", "|---|--:|--:|---|---|"]
        lines += [
            f"| `{one.code}` | {one.exit_status} | {one.http_status} "
            f"| {'yes' if one.retryable else 'no'} | {_sentence(one)} |"
            for one in (family, *_below(family))
        ]
        parts.append(f"## {family.__name__}\n\n" + "\n".join(lines) + "\n")
    picture = inspect.cleandoc(errors.__doc__ or "").split("\n\n")[1]
    return "\n".join([*parts, f"## The classes\n\n```text\n{picture}\n```\n"])


def rollout_reference() -> str:
    """Return the page of the rollout's state machine."""
    rows = ["| in phase | event | leads to | a freeze forbids it |", "|---|---|---|---|"]
    arrows = [f"    [*] --> {Phase.PREPARING}"]
    for (phase, event), after in TRANSITIONS.items():
        rows.append(f"| {phase} | {event} | {after} | {'yes' if event in FORWARD else 'no'} |")
        arrows.append(f"    {phase} --> {after}: {event}")
    arrows += [f"    {phase} --> [*]" for phase in Phase if phase in FINAL]
    notes = _notes(Phase)
    phases = "\n".join(f"| {one.value} | {notes[one.name]} |" for one in Phase)
    picture = "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])
    return (
        "# Rollouts\n\nA rollout is one release's way towards the pointer and, if need be, "
        f"back. What the table does not have is refused.\n\n{picture}\n\n"
        + "\n".join(rows)
        + f"\n\n| phase | meaning |\n|---|---|\n{phases}\n"
    )


def backends_reference() -> str:
    """Return the matrix of what each built-in backend does beyond the common promises."""
    notes = _notes(Capabilities)
    found = [_capabilities(place) for place in BACKENDS.values()]
    head = ["capability", *(f"`{one.name}`" for one in found), "meaning"]
    rows = [
        [
            f"`{field.name}`",
            *(_said(getattr(one, field.name)) for one in found),
            notes[field.name],
        ]
        for field in fields(Capabilities)
        if field.name != "name"
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
    return (
        "# Backends\n\nEvery backend keeps the promises of `repoint.ports.backend`; the suites "
        "of `repoint.testing` check them. What may differ is declared, and a call for what a "
        f"backend does not have is refused with `unsupported`.\n\n{table}\n"
    )


def config_reference() -> str:
    """Return the page of ``repoint.toml``."""
    rows = "\n".join(
        f"| `{name}` | `{default}` | {meaning} |"
        for name, default, meaning in _settings(Config)
    )
    backends = "\n".join(
        f"| `{name}` | {'needed' if default == 'null' else f'`{default}`'} | {meaning} |"
        for name, default, meaning in _settings(BackendConfig)
    )
    chats = "\n".join(
        f"| `{name}` | {'needed' if default == 'null' else f'`{default}`'} | {meaning} |"
        for name, default, meaning in _settings(ChatConfig)
    )
    return (
        "# Configuration\n\n`repoint.toml` lies in the workspace; `repoint init` writes it "
        "with every default. Unknown settings are refused.\n\n"
        "| setting | default | meaning |\n|---|---|---|\n"
        f"{rows}\n\n"
        "## Backends\n\nA spec names a backend: `backend: prod`. That is the backend of the "
        "table `[backends.prod]`, or the kind of that name with nothing but defaults. What "
        "must not be in a file stands in an environment variable, and no message shows it. "
        "`repoint backends` lists them all.\n\n"
        "| setting of `[backends.NAME]` | default | meaning |\n|---|---|---|\n"
        f"{backends}\n\n## Language models\n\n`repoint evaluate --judge prod` asks the model "
        "of the table `[chat.prod]`; so do `--answer-with` and a `groundedness` trigger that "
        "names it. Nothing is sent to it otherwise. `lexical` is the name of the judge that "
        "needs none.\n\n"
        "| setting of `[chat.NAME]` | default | meaning |\n|---|---|---|\n"
        f"{chats}\n\n## Environment\n\n"
        "| environment | meaning |\n|---|---|\n"
        "| `REPOINT_HOME` | the workspace, where `--home` is not given |\n"
        "| `REPOINT_ACTOR` | who acts, where `--actor` is not given |\n"
        "| `REPOINT_GUARD_TOKEN` | the bearer token of `repoint guard --listen` |\n"
        "| `REPOINT_STORE_URL` | the database of a control store on PostgreSQL, in place of "
        "`store.url` |\n"
    )


def roles_reference() -> str:
    """Return the page of roles and what each may do."""
    notes = _notes(Role)
    roles = "\n".join(f"| {one.value} | {notes[one.name]} |" for one in Role)
    actions = "\n".join(
        f"| `{action.value}` | {role.value} |"
        for action, role in sorted(NEEDS.items(), key=lambda row: list(Role).index(row[1]))
    )
    return (
        "# Roles\n\nEach role holds all that stand before it. Until a first role is granted, "
        "the owner of the control store may do everything and nobody else anything; the first "
        "grant ends that. A denied attempt changes nothing and is recorded.\n\n"
        f"| role | trusted with |\n|---|---|\n{roles}\n\n"
        f"| action | least role |\n|---|---|\n{actions}\n"
    )


#: From a page's path, relative to the checkout, to what renders its whole text.
PAGES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "docs/reference/backends.md": backends_reference,
        "docs/reference/cli.md": cli_reference,
        "docs/reference/config.md": config_reference,
        "docs/reference/errors.md": errors_reference,
        "docs/reference/http.md": http_reference,
        "docs/reference/json.md": json_reference,
        "docs/reference/policy.md": policy_reference,
        "docs/reference/roles.md": roles_reference,
        "docs/reference/rollout.md": rollout_reference,
        "docs/reference/spec.md": spec_reference,
    }
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


def _help(*command: str) -> str:
    result = CliRunner().invoke(
        app, [*command, "--help"], prog_name="repoint", terminal_width=96
    )
    return f"```text\n{result.stdout.rstrip()}\n```\n"


def _below(error: type[RepointError]) -> Iterator[type[RepointError]]:
    for one in error.__subclasses__():
        yield one
        yield from _below(one)


def _sentence(described: type) -> str:
    return (
        (inspect.getdoc(described) or "").splitlines()[0].removesuffix(".").replace("|", "\\|")
    )


def _capabilities(place: str) -> Capabilities:
    module, _, name = place.partition(":")
    driver = getattr(importlib.import_module(module), name)
    # A driver that takes settings says what it can do before there is anything to open.
    made = driver if hasattr(driver, "from_settings") else driver(Path("unused"))
    found: Capabilities = made.capabilities
    return found


def _said(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    return "yes" if value else "no"


def _notes(described: type) -> dict[str, str]:
    """Return what the ``#:`` comments before a class's fields say, on one line each."""
    lines = inspect.getsource(described).splitlines()
    body = ast.parse("\n".join(lines)).body[0]
    notes: dict[str, str] = {}
    for item in getattr(body, "body", []):
        target = getattr(item, "target", None) or next(iter(getattr(item, "targets", [])), None)
        if isinstance(target, ast.Name):
            said: list[str] = []
            place = item.lineno - 2
            while lines[place].strip().startswith("#:"):
                said.insert(0, lines[place].strip().removeprefix("#:").strip())
                place -= 1
            notes[target.id] = " ".join(said).removesuffix(".")
    return notes


def _settings(section: type[BaseModel], under: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in section.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if default == {} and section is Config:
            continue  # one table a name: it has rows of its own
        if isinstance(default, BaseModel):
            yield from _settings(type(default), f"{name}.")
        else:
            written = "null" if field.is_required() else json.dumps(default)
            yield f"{under}{name}", written, field.description or ""


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
