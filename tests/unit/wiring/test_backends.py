from pathlib import Path
from types import SimpleNamespace

import pytest

from repoint.backends.memory import CAPABILITIES, MemoryBackend
from repoint.domain.errors import (
    BadSpecError,
    MissingSettingError,
    NotFoundError,
    UnsupportedError,
)
from repoint.domain.ids import IndexName
from repoint.ports.settings import BackendSettings
from repoint.wiring import drivers
from repoint.wiring.backends import redacted
from repoint.wiring.clock import SystemClock
from repoint.wiring.config import BackendConfig, Config, read_config, write_config
from repoint.wiring.drivers import InstalledDrivers


class Recorder:
    """A driver that takes settings, and keeps what it was given."""

    capabilities = CAPABILITIES
    given: list[BackendSettings]

    @classmethod
    def from_settings(cls, settings: BackendSettings) -> MemoryBackend:
        cls.given.append(settings)
        return MemoryBackend()


@pytest.fixture(autouse=True)
def _announced(monkeypatch: pytest.MonkeyPatch) -> None:
    Recorder.given = []
    points = [
        SimpleNamespace(name="recorder", load=lambda: Recorder),
        SimpleNamespace(name="old", load=lambda: MemoryBackend),
    ]
    monkeypatch.setattr(drivers, "entry_points", lambda group: points if group else [])


def _drivers(folder: Path, **configured: BackendConfig) -> InstalledDrivers:
    return InstalledDrivers(folder, clock=SystemClock(), configured=configured)


def test_a_named_table_reaches_its_driver_with_secrets_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROD_URL", "db://me:s3cret@host")
    monkeypatch.setenv("PROD_KEY", "k3y")
    config = BackendConfig(
        kind="recorder", url_env="PROD_URL", api_key_env="PROD_KEY", options={"size": 3}
    )
    opened = _drivers(tmp_path, prod=config)
    assert opened.backend("prod") is opened.backend("prod")
    (given,) = Recorder.given
    assert given == BackendSettings(
        name="prod",
        folder=tmp_path / "prod",
        url="db://me:s3cret@host",
        api_key="k3y",
        options={"size": 3},
    )
    assert "s3cret" not in repr(given)
    assert "k3y" not in repr(given)


def test_two_tables_of_one_kind_are_two_backends(tmp_path: Path) -> None:
    opened = _drivers(
        tmp_path, a=BackendConfig(kind="recorder"), b=BackendConfig(kind="recorder")
    )
    assert opened.backend("a") is not opened.backend("b")
    assert [given.name for given in Recorder.given] == ["a", "b"]


def test_a_kind_without_a_table_has_its_defaults(tmp_path: Path) -> None:
    _drivers(tmp_path).backend("recorder")
    assert Recorder.given == [BackendSettings(name="recorder", folder=tmp_path / "recorder")]


def test_a_driver_written_for_a_folder_works_as_before(tmp_path: Path) -> None:
    opened = _drivers(tmp_path, mine=BackendConfig(kind="old", alias_prefix="my_"))
    assert opened.backend("old").capabilities.name == "memory"
    assert opened.backend("mine").capabilities.name == "memory"


def test_settings_that_a_driver_does_not_take_are_refused(tmp_path: Path) -> None:
    opened = _drivers(tmp_path, mine=BackendConfig(kind="old", url="db://host"))
    with pytest.raises(UnsupportedError, match=r"backends\.mine"):
        opened.backend("mine")


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    opened = _drivers(tmp_path, prod=BackendConfig(kind="recorder", url_env="NOBODY_SET_IT"))
    with pytest.raises(MissingSettingError, match="NOBODY_SET_IT"):
        opened.backend("prod")


def test_an_unknown_name_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="recorder"):
        _drivers(tmp_path).backend("nosuch")


def test_an_alias_has_its_backends_prefix(tmp_path: Path) -> None:
    opened = _drivers(tmp_path, prod=BackendConfig(kind="old", alias_prefix="search_"))
    assert opened.alias("prod", IndexName("docs")) == "search_docs"
    assert opened.alias("lancedb", IndexName("docs")) == "docs"


def test_every_backend_is_listed_with_what_stands_in_its_way(tmp_path: Path) -> None:
    config = BackendConfig(kind="recorder", url="db://me@host/x?sslmode=require")
    opened = _drivers(
        tmp_path, prod=config, bad=BackendConfig(kind="recorder", url_env="NOBODY_SET_IT")
    )
    known = {one.name: one for one in opened.backends()}
    assert known["prod"].url == "db://host/x"
    assert known["prod"].capabilities is not None
    assert known["bad"].capabilities is None
    assert isinstance(known["bad"].problem, MissingSettingError)
    assert isinstance(known["pgvector"].problem, MissingSettingError)
    assert known["lancedb"].configured is False


@pytest.mark.parametrize(
    "url",
    ["db://me:s3cret@host/x", "db://host/x?password=s3cret", "http://host?api_key=s3cret"],
)
def test_a_password_in_a_url_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    file = tmp_path / "repoint.toml"
    file.write_text(f'[backends.prod]\nkind = "pgvector"\nurl = "{url}"\n', encoding="utf-8")

    with pytest.raises(BadSpecError, match="url_env") as caught:
        read_config(file)

    assert caught.value.field == "backends.prod"
    assert "s3cret" not in str(caught.value)
    file.write_text('[backends.prod]\nkind = "pgvector"\nurl = "db://me@host/x"\n')
    assert read_config(file).backends["prod"].url == "db://me@host/x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("http://127.0.0.1:6333", "http://127.0.0.1:6333"),
        (
            "postgresql://me:s3cret@db:5432/search?sslmode=require",
            "postgresql://db:5432/search",
        ),
        ("host=db password=s3cret", "(hidden)"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_a_config_is_read_back_with_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "repoint.toml"
    write_config(path, Config())
    assert read_config(path) == Config()
    with path.open("a") as file:
        file.write('[backends.prod]\nkind = "pgvector"\nurl_env = "X"\n')
        file.write('[backends.prod.options]\nschema = "search"\n')
    prod = read_config(path).backends["prod"]
    assert (prod.kind, prod.url_env, prod.options) == ("pgvector", "X", {"schema": "search"})


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ('[backends.prod]\nkind = "x"\nurl = "s3cret"\nurl_env = "A"', "backends.prod"),
        ('[backends.prod]\nkind = "x"\npassword = "s3cret"', "backends.prod.password"),
        ('[backends.prod]\nurl = "s3cret"', "backends.prod.kind"),
        ('[backends.prod]\nkind = "x"\nurl_env = "s3cret word"', "backends.prod.url_env"),
        ('[backends.prod]\nkind = "x"\nalias_prefix = "s3cret word"', "alias_prefix"),
    ],
)
def test_a_wrong_table_is_refused_without_showing_its_values(
    tmp_path: Path, lines: str, field: str
) -> None:
    path = tmp_path / "repoint.toml"
    path.write_text(lines)
    with pytest.raises(BadSpecError, match=field.replace(".", r"\.")) as caught:
        read_config(path)
    assert "s3cret" not in str(caught.value)
