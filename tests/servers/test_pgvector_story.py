import pytest

from repoint.testing.postgres import PostgresServer
from repoint.testing.story import StorySuite

pytestmark = [pytest.mark.backend("pgvector"), pytest.mark.slow]


class TestPgvectorStory(StorySuite):
    @pytest.fixture
    def table(self, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
        url = postgres_server.url(postgres_server.database())
        monkeypatch.setenv("STORY_DATABASE_URL", url)
        return (
            'kind = "pgvector"\nurl_env = "STORY_DATABASE_URL"\nalias_prefix = "search_"\n'
            '[backends.main.options]\nschema = "vectors"'
        )
