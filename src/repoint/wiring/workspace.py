"""The composition root: one folder with everything, opened or made."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from repoint.domain.errors import AlreadyExistsError, NotFoundError, StoreUnavailableError
from repoint.domain.ids import ProcessId, actor_name
from repoint.domain.operation import Process
from repoint.operations.model_watch import ModelWatch, ProbeSettings
from repoint.operations.originals import Originals
from repoint.operations.routing import Router
from repoint.operations.session import Session
from repoint.operations.spaces import Spaces
from repoint.ports.clock import Clock, Ids
from repoint.sources.files.places import Places
from repoint.wiring.archive import FolderArchive
from repoint.wiring.clock import RandomIds, SystemClock
from repoint.wiring.config import CONFIG_FILE, Config, StoreConfig, read_config, write_config
from repoint.wiring.drivers import InstalledDrivers
from repoint.wiring.host import LocalHost, user_name
from repoint.wiring.judges import ConfiguredJudges
from repoint.wiring.live import Live
from repoint.wiring.sources import open_reader
from repoint.wiring.stores import StoreFacts, open_store, shown_url

#: Used where neither a folder nor ``REPOINT_HOME`` is given.
DEFAULT_HOME: Final = Path(".repoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """An open folder: the session of whoever opened it, its routes and drivers."""

    home: Path
    config: Config
    session: Session
    router: Router
    drivers: InstalledDrivers
    judges: ConfiguredJudges
    store: StoreFacts
    live: Live

    def close(self) -> None:
        """Stop answering, leave the registry, close everything."""
        self.live.close()
        self.router.close()
        self.drivers.close()
        self.judges.close()
        self.session.store.close()


def find_home(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder given, else ``REPOINT_HOME``, else ``.repoint`` here."""
    given = folder or os.environ.get("REPOINT_HOME") or DEFAULT_HOME
    return Path(given).expanduser()


def make_workspace(home: Path, *, store_url: str | None = None) -> None:
    """Make a folder with a config and a control store, which is there or gets made.

    The store is a file of the folder, or with a URL a schema of a PostgreSQL database; the
    URL's password is not written down.

    Raises:
        AlreadyExistsError: there is one; it is left as it is.
        StoreUnavailableError: the folder cannot be written to.
    """
    if (home / CONFIG_FILE).exists():
        raise AlreadyExistsError(what="workspace", name=str(home))
    config = Config()
    if store_url is not None:
        named = StoreConfig(kind="postgres", url=shown_url(store_url))
        config = config.model_copy(update={"store": named})
    try:
        home.mkdir(parents=True, exist_ok=True)
        opened = open_store(config.store, home=home, clock=SystemClock(), url=store_url)
        opened.store.close()
        write_config(home / CONFIG_FILE, config)  # last: a folder with it is complete
    except OSError as error:
        raise StoreUnavailableError(
            f"the folder {home} cannot be made: {error.strerror}",
            hint="choose another one: repoint init FOLDER",
        ) from error


def open_workspace(
    home: Path,
    *,
    actor: str | None = None,
    program: str = "",
    clock: Clock | None = None,
    store_url: str | None = None,
) -> Workspace:
    """Open a folder that ``make_workspace`` made; a URL stands in for the store's own.

    Raises:
        NotFoundError: there is none at that place.
        BadSpecError: its config cannot be read.
    """
    if not (home / CONFIG_FILE).is_file():
        raise NotFoundError(
            what="workspace at", name=str(home), hint=f"make one: repoint init {home}"
        )
    config = read_config(home / CONFIG_FILE)
    opened = open_store(config.store, home=home, clock=clock or SystemClock(), url=store_url)
    store, time = opened.store, opened.clock
    ids, host = RandomIds(), LocalHost(time)
    judges = ConfiguredJudges(config.chat, clock=time)
    drivers = InstalledDrivers(
        home / config.collections, clock=time, configured=config.backends
    )
    originals = Originals(store, partial(open_reader, clock=time, places=Places()))
    spaces = Spaces(drivers, originals=originals)
    process = _this_process(time, ids, host, program)
    acting = actor_name(actor or os.environ.get("REPOINT_ACTOR") or user_name())
    watch = ModelWatch(
        store,
        clock=time,
        host=host.name,
        actor=acting,
        settings=ProbeSettings(
            every=config.probes.interval, stops=config.probes.on_drift == "stop"
        ),
    )
    router = Router(store, spaces, clock=time, process=process, lease=config.lease, watch=watch)
    session = Session(
        store=store,
        spaces=spaces,
        clock=time,
        ids=ids,
        host=host,
        archive=FolderArchive(home / config.evidence),
        judges=judges,
        process=process,
        announce=router.announce,
        actor=acting,
        is_owner=opened.facts.is_owner,
    )
    return Workspace(
        home=home,
        config=config,
        session=session,
        router=router,
        drivers=drivers,
        store=opened.facts,
        judges=judges,
        live=Live(store, spaces, clock=time, process=process.id),
    )


def _this_process(clock: Clock, ids: Ids, host: LocalHost, program: str) -> Process:
    now = clock.now()
    return Process(
        id=ProcessId(ids.new()),
        host=host.name,
        pid=os.getpid(),
        started_at=now,
        program=program or Path(sys.argv[0]).name or "python",
        lease_until=now,
        serves={},
    )
