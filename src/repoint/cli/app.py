"""The root command: options before the command's name, and the list of commands."""

from __future__ import annotations

from typing import Final

import typer

from repoint.cli.door import ActorOption, HomeOption, JsonOption, Settings
from repoint.cli.lazy import LazyGroup

app = typer.Typer(
    name="repoint",
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


#: ``\b`` keeps the lines of a paragraph as they are.
_HELP: Final = """Move a search system between embedding models, and back.

\b
Example, from nothing to an answer:
  repoint init
  repoint index create docs
  repoint ingest docs corpus.jsonl
  repoint release create docs v1 --spec v1.yaml
  repoint sync docs v1
  repoint promote docs v1
  repoint search docs "a question"

\b
When something is wrong after a promotion:
  repoint rollback docs --reason "what is wrong"
"""


@app.callback(help=_HELP)
def repoint(
    ctx: typer.Context,
    home: HomeOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 - typer passes options by name
    actor: ActorOption = None,
) -> None:
    """Keep the options given before the command's name for the command."""
    ctx.obj = Settings(home=home, as_json=as_json, actor=actor)
