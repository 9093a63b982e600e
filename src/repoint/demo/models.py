"""The demo's three releases: a good model, a bad update, and a good one to go on to."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Final

from repoint.domain.errors import MissingModelError
from repoint.domain.spec import ReleaseSpec
from repoint.model_files import locate
from repoint.wiring.spec_file import load_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One release of the story and what is said of it."""

    release: str
    says: str


V1: Final = Stage(release="v1", says="wordllama, 256 dimensions")
V2: Final = Stage(
    release="v2", says="tokenlearn, 64 dimensions: a quarter of the size, and bad"
)
V3: Final = Stage(release="v3", says="MiniLM by ONNX, 384 dimensions")


def load(stage: Stage) -> ReleaseSpec:
    """Return a stage's spec, with its model's files there to be read.

    Raises:
        MissingModelError: a package of model files is not installed.
    """
    name = f"{stage.release}.yaml"
    text = resources.files("repoint.demo").joinpath("specs", name).read_text(encoding="utf-8")
    spec = load_spec(text, source=name)
    places = [spec.model.location]
    if isinstance(tokenizer := spec.model.options.get("tokenizer"), str):
        places.append(tokenizer.rpartition("/")[0])
    for place in places:
        try:
            locate(spec.model.name, place)
        except MissingModelError as error:
            raise MissingModelError(
                model=spec.model.name,
                why=f"{place.removeprefix('package:')} is not installed",
                hint="the demo uses real models; to install all of them, in the checkout: "
                "make setup",
            ) from error
    return spec
