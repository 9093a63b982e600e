"""The control store: one transactional home for the log, the pointer and all records.

A ``Store`` opens transactions; a transaction offers the areas below. Everything done in one
``begin()`` is committed together when the block ends and undone together when it raises
[atomic]. ``repoint.testing.StoreSuite`` checks each promise by the name in brackets.
Whatever an area refuses, it refuses before anything of the call is written.
"""

from repoint.ports.store.adoptions import Adoptions
from repoint.ports.store.alarms import Alarms
from repoint.ports.store.bridges import Bridges
from repoint.ports.store.catchup import Catchup
from repoint.ports.store.erasing import Erasures
from repoint.ports.store.feeding import Pushes, Renderings, Sources
from repoint.ports.store.guarding import Drills, Guarding
from repoint.ports.store.judging import Diagnoses, Policies, QuerySets, Runs
from repoint.ports.store.log import Appended, DocumentLog, Indexes
from repoint.ports.store.moves import Operations, Pointers, Processes
from repoint.ports.store.records import Access, Audit
from repoint.ports.store.releases import DeadLetters, Releases
from repoint.ports.store.traffic import Feedback, Shadows, Telemetry
from repoint.ports.store.transactions import ChangeFeed, Store, Transaction

__all__ = [
    "Access",
    "Adoptions",
    "Alarms",
    "Appended",
    "Audit",
    "Bridges",
    "Catchup",
    "ChangeFeed",
    "DeadLetters",
    "Diagnoses",
    "DocumentLog",
    "Drills",
    "Erasures",
    "Feedback",
    "Guarding",
    "Indexes",
    "Operations",
    "Pointers",
    "Policies",
    "Processes",
    "Pushes",
    "QuerySets",
    "Releases",
    "Renderings",
    "Runs",
    "Shadows",
    "Sources",
    "Store",
    "Telemetry",
    "Transaction",
]
