"""One answer, one value."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def score_of(responses_to) -> Any:
    """The function that scores one answer against the reference of its case."""

    def score(metric: Any, answer: str, reference: Any = None, **options: Any) -> Any:
        (value,) = metric(responses_to(answer, cases={"reference": [reference]}), **options).values
        return value

    return score


@pytest.fixture(scope="session")
def version_of(responses_to) -> Any:
    """The function that gives the version of a metric, by which two scores are comparable."""

    def version(metric: Any, *arguments: Any, **options: Any) -> str:
        return metric(responses_to("1", cases={"reference": ["1"]}), *arguments, **options).basis.metric_version

    return version
