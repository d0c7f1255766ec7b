"""`--llmval-prompt`: a name that no case set has is refused."""

from __future__ import annotations

import pytest

from pytest_llmval.hooks.refusal import refuse
from pytest_llmval.stash import settings_of, written_decoration_of


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A case set without variants asks its one prompt under any name; so does one with others, its first."""
    at = {variant: item for item in items for variant in _variants(item)}
    if not at:
        return
    name = settings_of(config).prompt
    if name is not None and name not in at:
        from pytest_llmval.errors import nearest

        message = f"--llmval-prompt {name!r}: no case set that was collected has a prompt of that name; "
        refuse(items, next(iter(at.values())), message + nearest(name, at))


def _variants(item: pytest.Item) -> tuple[str, ...]:
    decoration = written_decoration_of(item)
    return tuple(decoration.case_set.variants) if decoration else ()
