"""Decorated tests become items: one a case, or one for the whole set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmval.hooks.options import is_version_named
from pytest_llmval.stash import CASE, GATES, decoration_of, settings_of, skip

if TYPE_CHECKING:
    from pytest_llmval.case_sets.case import Decoration

CASE_FIXTURES = {
    "each": ("case", "response", "baseline_response"),
    "all": ("responses", "baseline_responses"),
}
BASELINE_FIXTURES = {
    "baseline_response",
    "baseline_responses",
    "baseline_llm",
    "baseline_server",
    "baseline_torch_model",
    "baseline_tokenizer",
}
MODEL_FIXTURES = BASELINE_FIXTURES | {
    "response",
    "responses",
    "llm",
    "model_server",
    "reference_llm",
    "torch_model",
    "tokenizer",
    "llmval_run",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item a case for a test decorated with `case_set.each`."""
    try:
        decoration = decoration_of(metafunc)
    except pytest.UsageError as error:
        pytest.fail(str(error), pytrace=False)
    if decoration is None:
        return
    _refuse_shadows(metafunc, decoration)
    if decoration.mode == "each":
        metafunc.fixturenames.insert(0, CASE)
        metafunc.parametrize(
            CASE, decoration.case_set.cases, ids=[case.id for case in decoration.case_set], indirect=True
        )


def _refuse_shadows(metafunc: pytest.Metafunc, decoration: Decoration) -> None:
    """Complain when a fixture of the user hides one of ours: the test would silently judge something else."""
    for name in CASE_FIXTURES[decoration.mode]:
        for definition in metafunc._arg2fixturedefs.get(name, ())[-1:]:  # noqa: SLF001 - pytest has no public way
            if not definition.func.__module__.startswith("pytest_llmval."):
                pytest.fail(
                    f"{metafunc.function.__name__} is decorated with {decoration.case_set.name}.{decoration.mode}, but "
                    f"{definition.func.__module__} defines a fixture {name!r} that hides ours; rename it",
                    pytrace=False,
                )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fix the family of gates before any of them is deselected: the level may not depend on the selection."""
    config.stash[GATES] = max(1, sum(is_baseline_gate(item) for item in items))


def is_baseline_gate(item: pytest.Item) -> bool:
    """Whether the item judges a whole case set against the baseline."""
    decoration = decoration_of(item)
    return decoration is not None and decoration.mode == "all" and uses(item, BASELINE_FIXTURES)


def uses(item: pytest.Item, names: set[str]) -> bool:
    """Whether the item asks for one of these fixtures."""
    return bool(names.intersection(getattr(item, "fixturenames", ())))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Wrong settings stop before the first test that needs them."""
    if not is_version_named(session.config) and any(uses(item, MODEL_FIXTURES) for item in session.items):
        settings_of(session.config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what only holds for versions that share their weights."""
    if item.get_closest_marker("llmval_same_weights") is None:
        return
    settings = settings_of(item.config)
    if settings.candidate and settings.baseline and not settings.weights_are_shared:
        skip(
            f"{settings.candidate.name} does not declare same_weights_as = {settings.baseline.name!r}: "
            "its numbers need not agree"
        )
