"""Strategies: what they can draw, and what they never draw."""

from __future__ import annotations

import builtins
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from pytest_llmval.case_sets.adversarial import EDGE_TEXTS, FRAGMENTS, SPECIAL_STRINGS, parts_of
from pytest_llmval.strategies import conversations, texts, token_ids

FEW = settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Nothing is made smaller: that takes most of the time, and the first find is enough.
SEARCH = settings(max_examples=3000, derandomize=True, deadline=None, database=None, phases=[Phase.generate])
TOKENIZER = SimpleNamespace(all_special_tokens=["<|own|>"], get_vocab=lambda: {"a": 3, "b": 8, "<|own|>": 70})


@pytest.mark.parametrize(
    "part", ["\u0301", "\u200d", "\ufb01", "\ufeff", "\x00", "\x85", "\ufffd", "🙂", "</s>", "<|im_start|", "<|own|>"]
)
def test_texts_reach_each_kind_of_trouble(part):
    """A search finds it: the alphabet is not only declared."""
    found = find(texts(TOKENIZER), lambda text: part in text, settings=SEARCH)

    assert part in found


@FEW
@given(text=texts(max_fragments=4))
def test_texts_are_text(text):
    """They can be encoded: no half surrogate pairs."""
    assert text.encode("utf-8").decode("utf-8") == text


@FEW
@given(text=texts(special=False))
def test_texts_without_special_strings(text):
    """For templates and tokenizers of which injection is known."""
    assert not any(special in text for special in SPECIAL_STRINGS)


@FEW
@given(ids=token_ids(TOKENIZER, min_size=2, max_size=5))
def test_token_ids_are_of_the_vocabulary(ids):
    """As many as asked for."""
    assert 2 <= len(ids) <= 5
    assert set(ids) <= {3, 8, 70}


@FEW
@given(turns=conversations(max_turns=5))
def test_conversations_alternate_and_end_with_the_user(turns):
    """With or without a system message before them."""
    roles = [turn["role"] for turn in turns]
    spoken = roles[1:] if roles[0] == "system" else roles

    assert spoken == (["user", "assistant"] * 3)[: len(spoken)]
    assert len(spoken) in {1, 3, 5}
    assert all(turn["content"].strip() for turn in turns)


@pytest.mark.parametrize("system", [True, False])
def test_conversations_with_and_without_a_system_message(system):
    """As asked for; by default both occur."""
    assert (find(conversations(system=system), lambda _: True, settings=SEARCH)[0]["role"] == "system") is system
    assert find(conversations(), lambda turns: (turns[0]["role"] == "system") is system, settings=SEARCH)


def test_longest_conversation_can_occur():
    """Five turns are drawn when five are allowed."""
    assert len(find(conversations(system=False), lambda turns: len(turns) == 5, settings=SEARCH)) == 5


def test_arguments_that_draw_nothing():
    """Each says what would be right."""
    with pytest.raises(ValueError, match="max_fragments=0; expected at least 1"):
        texts(max_fragments=0)
    with pytest.raises(ValueError, match="max_turns=0; expected at least 1"):
        conversations(max_turns=0)
    with pytest.raises(ValueError, match="vocabulary is empty"):
        token_ids(SimpleNamespace(get_vocab=dict))


def test_without_hypothesis(monkeypatch):
    """The command that helps is named."""
    original = builtins.__import__

    def refuse(name, *args, **options):
        if name == "hypothesis":
            raise ImportError(name)
        return original(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)

    with pytest.raises(ModuleNotFoundError, match="need Hypothesis: pip install hypothesis"):
        texts()


def test_parts_of_a_special_string_are_never_the_string():
    """Cut short at either end, opened up, in full-width brackets."""
    assert parts_of("<|user|>") == ("<|user|", "|user|>", "< |user|>", "＜|user|＞")
    assert not any(special in parts_of(special) for special in SPECIAL_STRINGS)


def test_the_texts_are_different_from_each_other():
    """None is tried twice."""
    for kind in (FRAGMENTS, EDGE_TEXTS, SPECIAL_STRINGS):
        assert len(set(kind)) == len(kind)
