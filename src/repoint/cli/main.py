"""The ``repoint`` command."""

from __future__ import annotations

import gc
import sys

import typer

from repoint import own_process
from repoint.cli import failures
from repoint.cli.app import app


def main() -> int:
    """Run the command line and return its exit status."""
    own_process.declare()
    # Starting makes many objects and hardly any garbage; a tenth of a rollback goes into
    # looking for it. What runs for long makes its own garbage long after this.
    gc.set_threshold(100_000, 50, 100)
    as_json = "--json" in sys.argv[1:]
    try:
        status = app(prog_name="repoint", standalone_mode=not as_json)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else failures.DONE
    except typer.TyperException as error:
        return failures.misused(
            error.format_message(), hint="see: repoint --help", as_json=True
        )
    except typer.Abort:
        return failures.interrupted("nothing was begun", as_json=as_json)
    return status if isinstance(status, int) else failures.DONE
