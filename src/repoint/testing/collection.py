"""The promises of ``ports.backend.Collection``: subclass it and bring the fixture ``place``."""

from __future__ import annotations

from repoint.testing.collection_model import ModelSuite
from repoint.testing.collection_searches import SearchesSuite
from repoint.testing.collection_writes import WritesSuite


class CollectionSuite(WritesSuite, SearchesSuite, ModelSuite):
    """What every collection promises."""
