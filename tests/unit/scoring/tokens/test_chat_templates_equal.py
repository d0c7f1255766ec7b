"""Two chat templates: the first conversation and token that differ are named."""

from __future__ import annotations

import pytest

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.chat_template.equality import assert_chat_templates_equal


def test_the_same_template(v1):
    """All built-in conversations, with and without generation prompt."""
    report = assert_chat_templates_equal(v1, v1)

    assert str(report) == "chat templates agree on 30 renderings"


def test_the_version_with_another_template(v1, v4):
    """v4 against v1: the common start, the tokens on both sides and the text about them."""
    with pytest.raises(ModelRegression) as raised:
        assert_chat_templates_equal(v4, v1)

    lines = str(raised.value).splitlines()
    assert lines[0] == (
        "chat templates differ in 30 of 30 renderings, first 'one turn' without generation prompt, "
        "1 tokens in common, then"
    )
    assert lines[1].startswith("    baseline  1 '<s>' 4 '<|user|>' 60 'W' ")
    assert lines[1].endswith("in '<s><|user|>Where is my order?'")
    assert lines[2].startswith("    candidate 1 '<s>' 33 '<' 97 '|' 454 'im' ")
    assert "in '<s><|im_start|>user\\nWhere is '…" in lines[2]


def test_a_difference_of_the_generation_prompt_only(v1, v4):
    """It is the prompt that the message names."""
    v4.chat_template = v1.chat_template.replace("{{ '<|assistant|>' }}", "{{ '<|assistant|>\\n' }}")

    with pytest.raises(
        ModelRegression, match="15 of 30 renderings, first 'one turn' with generation prompt, 9"
    ) as raised:
        assert_chat_templates_equal(v4, v1)

    assert "baseline  36 '?' 5 '<|assistant|>' the end  in " in str(raised.value)


def test_one_side_refuses(v1, v4):
    """What the other renders, with the reason."""
    v4.chat_template = (
        "{% if messages | length > 1 %}{{ raise_exception('one turn only') }}{% endif %}" + v1.chat_template
    )

    with pytest.raises(ModelRegression, match="first 'three turns' without") as raised:
        assert_chat_templates_equal(v4, v1)

    assert "candidate refused, TemplateError: one turn only" in str(raised.value)


def test_both_sides_refuse(v1):
    """Nothing compared."""
    v1.chat_template = "{{ raise_exception('closed') }}"

    with pytest.raises(InvalidComparison, match="both templates refuse all 30 renderings"):
        assert_chat_templates_equal(v1, v1)


def test_own_conversations(v1, v4):
    """Named by their place."""
    turns = [{"role": "user", "content": "Hi"}]

    assert assert_chat_templates_equal(v1, v1, [turns]).compared == 2
    with pytest.raises(ModelRegression, match=r"first 'conversations\[0\]'"):
        assert_chat_templates_equal(v4, v1, [turns])
    with pytest.raises(InvalidComparison, match="conversations is empty"):
        assert_chat_templates_equal(v1, v1, [])


def test_a_template_that_is_missing(v1, v4):
    """Lost by the candidate it is a regression, absent from the baseline there is nothing to compare."""
    v4.chat_template = None

    with pytest.raises(ModelRegression, match="the baseline has one -> the candidate has none"):
        assert_chat_templates_equal(v4, v1)
    with pytest.raises(InvalidComparison, match="the tokenizer has no chat template"):
        assert_chat_templates_equal(v1, v4)
