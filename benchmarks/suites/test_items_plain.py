"""One parametrised item a row with two trivial fixtures: what such a suite costs without the plugin."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

ROWS = [json.loads(line) for line in Path(os.environ["KEYWORDS"]).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def case():
    return {"keyword": "parcel", "prompt": "Where is the parcel?"}


@pytest.fixture
def response():
    return SimpleNamespace(finish_reason="stop")


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_answer(number, case, response):
    assert number >= 0
    assert case["keyword"] in case["prompt"]
    assert response.finish_reason in {"stop", "length"}
