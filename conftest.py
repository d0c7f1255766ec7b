"""Settings of all tests of this repository."""

# pytester runs pytest within this process and forgets what the inner run imported. numpy cannot be loaded twice, and
# loading the rest once instead of once a test saves minutes.
import pytest

import pytest_llmval.asking
import pytest_llmval.asserts
import pytest_llmval.ledger
import pytest_llmval.llm
import pytest_llmval.planning
import pytest_llmval.reports.junit
import pytest_llmval.scoring.scored  # noqa: F401

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _nobodys_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inner runs print the same wherever the tests run: with CI in the environment pytest shortens no message."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
