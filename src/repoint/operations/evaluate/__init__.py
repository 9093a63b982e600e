"""Evaluate: two releases asked the same questions, and what the difference is worth."""

from repoint.operations.evaluate.asking import Asked, Options
from repoint.operations.evaluate.citing import spans_outside
from repoint.operations.evaluate.evaluating import evaluate, report
from repoint.operations.evaluate.values import Report
from repoint.operations.evaluate.verdict import StoredEvaluations

__all__ = [
    "Asked",
    "Options",
    "Report",
    "StoredEvaluations",
    "evaluate",
    "report",
    "spans_outside",
]
