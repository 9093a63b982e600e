from collections.abc import Iterator

import pytest

from repoint.judges.chat import Chat, ChatSettings
from repoint.judges.lexical import LexicalJudge
from repoint.judges.model import ModelJudge
from repoint.ports.judge import Judge
from repoint.testing.judge import JudgeSuite
from repoint.testing.provider import Provider
from repoint.wiring.clock import SystemClock


class TestLexicalJudge(JudgeSuite):
    @pytest.fixture
    def judge(self) -> Judge:
        return LexicalJudge()


class TestModelJudge(JudgeSuite):
    @pytest.fixture
    def judge(self) -> Iterator[Judge]:
        with Provider() as provider:
            settings = ChatSettings(model="judge-1", url=provider.url)
            judge = ModelJudge(Chat(settings, clock=SystemClock()))
            yield judge
            judge.close()
