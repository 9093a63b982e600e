import json
from pathlib import Path

import pytest

from repoint.demo import models, run
from repoint.demo.relevance import summary
from repoint.domain.errors import AlreadyExistsError, MissingModelError


def test_a_question_that_finds_nothing_counts_nought() -> None:
    found = summary("v1", [1, 2, None, 11], [4.0, 8.0])
    assert found.success_at_10 == 0.5
    assert found.mrr_at_10 == 0.375
    assert 0.40 < found.ndcg_at_10 < 0.41


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "workspace"
    kept.mkdir()
    with pytest.raises(AlreadyExistsError):
        run(tmp_path)
    assert kept.is_dir()


def test_without_its_models_the_demo_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(MissingModelError, match="make setup"):
        models.load(models.V1)


@pytest.mark.campaign
@pytest.mark.models
@pytest.mark.timeout(600)
def test_every_claim_of_the_demo_holds_on_a_small_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "report", as_json=True, quick=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["verified"] is True
    counts = ("mixed_space_queries", "failed_queries", "lost_writes", "resurrected_deletes")
    assert [report[name] for name in counts] == [0, 0, 0, 0]
    assert report["queries"] > 0
    assert report["writes"]["acknowledged"] > 0
    relevance = report["relevance"]
    assert relevance["v2"]["ndcg_at_10"] < relevance["v1"]["ndcg_at_10"]
    assert abs(relevance["v1 again"]["ndcg_at_10"] - relevance["v1"]["ndcg_at_10"]) < 0.05
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == report
    assert (tmp_path / "report" / "index.html").is_file()
    assert not (tmp_path / "report" / "workspace").exists()
