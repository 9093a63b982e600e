"""``repoint worker``: keeping live releases in step, for as long as it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli.allocator import give_back_freed_memory
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.stopping import on_signals
from repoint.domain.errors import UnavailableError

if TYPE_CHECKING:
    from repoint.client import Repoint
    from repoint.operations.sync import Follower

app = typer.Typer(rich_markup_mode=None)

#: Seconds between two looks at who fails and which indexes there are.
_LOOK_S = 1.0
#: Seconds between two purges of tombstones whose retention is over.
_PURGE_S = 3600.0


@command(
    app,
    "worker",
    example="repoint worker\nrepoint worker docs",
    interrupted="what was applied is kept; another worker or sync goes on from there",
)
def worker(
    door: Door,
    indexes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INDEX…]", help="Which ones; left out: all, new ones too."),
    ] = None,
) -> None:
    """Keep all live releases in step until told to stop.

    Ctrl-C or SIGTERM ends it after the batches in hand. Any number of workers may run;
    they share the work.
    """
    give_back_freed_memory()
    with (
        door.workspace(keep_in_step=False) as opened,
        on_signals("finishing the batches in hand") as request,
    ):
        crew = _Crew(door, opened)
        try:
            while True:
                crew.tend(indexes)
                if request.wait(_LOOK_S):
                    break
        finally:
            crew.close()
        door.out.json({"indexes": plain(sorted(crew.followers)), "ended": "asked"})
        door.out.say("ended; nothing is half done")


class _Crew:
    """One follower an index, and what was last said of each."""

    def __init__(self, door: Door, opened: Repoint) -> None:
        self._door = door
        self._opened = opened
        self._told: dict[str, str] = {}
        self.followers: dict[str, Follower] = {}
        self._purge_at: dict[str, float] = {}

    def tend(self, names: list[str] | None) -> None:
        """Follow what is not followed yet, and say what fails or works again."""
        for name in names or self._opened.indexes():
            if name not in self.followers:
                self.followers[name] = self._opened.index(name).follow()
                self._door.out.aside(f"keeping the live releases of {name} in step")
            self._purge(name)
        for name, follower in self.followers.items():
            failing = {f"{name} {r}": e for r, e in follower.last_error.items()}
            if follower.store_error is not None:
                failing[f"{name} (control store)"] = follower.store_error
            self._tell(name, failing)

    def _purge(self, name: str) -> None:
        """Let tombstones go now and then, once everyone has passed them."""
        now = self._opened.session.clock.monotonic()
        if now < self._purge_at.get(name, 0.0):
            return
        self._purge_at[name] = now + _PURGE_S
        try:
            count = self._opened.index(name).purge_tombstones()
        except UnavailableError as error:
            self._door.out.aside(f"{name}: tombstones stay for now: {error}")
        else:
            if count:
                self._door.out.aside(f"{name}: {count} tombstones purged")

    def close(self) -> None:
        """End all of them."""
        for follower in self.followers.values():
            follower.close()

    def _tell(self, name: str, failing: dict[str, Exception]) -> None:
        for what, error in failing.items():
            if self._told.get(what) != str(error):
                self._told[what] = str(error)
                self._door.out.aside(f"{what}: {error}; trying again")
        for what in [one for one in self._told if one.startswith(f"{name} ")]:
            if what not in failing:
                del self._told[what]
                self._door.out.aside(f"{what}: works again")
