"""Settings of all tests of this repository."""

# pytester runs pytest within this process and forgets what the inner run imported. numpy cannot be loaded twice, and
# loading the rest once instead of once a test saves minutes.
import pytest_llmval.asking
import pytest_llmval.asserts
import pytest_llmval.ledger
import pytest_llmval.llm
import pytest_llmval.planning
import pytest_llmval.reports.junit
import pytest_llmval.scoring.scored  # noqa: F401

pytest_plugins = ["pytester"]
