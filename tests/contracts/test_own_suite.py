"""A suite of its own takes a contract by subclassing it."""

from __future__ import annotations

import subprocess
import sys

import pytest

SUITE = """
import pytest
from pytest_llmval.contracts import ChatTemplateContract, NumericsContract, TokenizerContract

class TestTokens(TokenizerContract):
    examples = ["Where is my order?", "two  spaces"]
    long_text = 16_384

class TestTemplate(ChatTemplateContract):
    conversations = [[{"role": "user", "content": "Where is my order?"}]]

class TestNumbers(NumericsContract):
    prompts = ["Where is my order?", "Our shop opens at nine."]
    schedules = ((1,), (2, 3))
"""
DAMAGED = """
import pytest, torch

@pytest.fixture
def torch_model(torch_model):
    torch_model.model.embed_tokens.weight.data[:, 0] = torch.nan
    return torch_model
"""
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def test_own_prompts_and_texts(pytester, models):
    """Each class runs once, with what it gives; the contracts themselves are not collected as tests."""
    pytester.makepyfile(SUITE)

    result = pytester.runpytest_inprocess(*QUIET, f"--model-version={models / 'v1'}")

    result.assert_outcomes(passed=19, skipped=6)


def test_own_model_fixture(pytester, models):
    """A fixture of the suite may take the place of the model: here it is damaged, and the contract says so."""
    pytester.makepyfile(SUITE)
    pytester.makeconftest(DAMAGED)

    result = pytester.runpytest_inprocess(*QUIET, "-k", "TestNumbers and finite", f"--model-version={models / 'v1'}")

    result.assert_outcomes(failed=2, deselected=23)


def test_importing_the_contracts_is_light():
    """Nothing heavy is loaded before a contract is named, and no torch then."""
    heavy = {"numpy", "torch", "transformers"}
    code = (
        f"import sys, pytest_llmval.contracts as c; assert not {heavy} & set(sys.modules); c.NumericsContract; "
        f"assert not {heavy - {'numpy'}} & set(sys.modules); c.Numerics"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    last = result.stderr.splitlines()[-1]
    assert last.startswith("AttributeError: module 'pytest_llmval.contracts' has no attribute 'Numerics'")


def test_without_torch(pytester, models, monkeypatch):
    """The message says what to install."""
    pytester.makepyfile(SUITE)
    for name in ("torch", "transformers"):
        monkeypatch.setitem(sys.modules, name, None)

    result = pytester.runpytest_inprocess(*QUIET, "-k", "faithfully", f"--model-version={models / 'v1'}")

    result.assert_outcomes(errors=1, deselected=24)
    result.stdout.fnmatch_lines(
        ["version 'v1' needs torch and transformers: pip install pytest-llmval[[]transformers[]]"]
    )


@pytest.mark.parametrize("name", ["ChatTemplateContract", "NumericsContract", "ServerContract", "TokenizerContract"])
def test_every_check_says_what_it_checks(name):
    """Each test has a sentence."""
    import pytest_llmval.contracts

    contract = getattr(pytest_llmval.contracts, name)

    tests = [getattr(contract, each) for each in dir(contract) if each.startswith("test_")]
    assert tests
    assert all(each.__doc__.strip().endswith(".") for each in tests)
