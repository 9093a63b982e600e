from collections.abc import Iterator
from dataclasses import replace

import pytest

from repoint.domain.spec import ModelSpec
from repoint.embedders.openai import OpenAIEmbedder
from repoint.testing.embedder import EmbedderSuite, Opening
from repoint.testing.provider import Provider
from repoint.wiring.clock import SystemClock


class TestOpenAIEmbedder(EmbedderSuite):
    @pytest.fixture
    def opening(self) -> Iterator[Opening]:
        with Provider(dimensions=64) as provider:
            model = ModelSpec(
                provider="openai", name="small-1", dimensions=64, location=provider.url
            )
            other = replace(model, name="small-2")
            yield Opening(
                opened=lambda: OpenAIEmbedder.open(model, clock=SystemClock()),
                altered=lambda: OpenAIEmbedder.open(other, clock=SystemClock()),
            )
