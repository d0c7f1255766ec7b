"""The contract of a chat template: faults are named, capabilities reported, flips fail."""

from __future__ import annotations

import copy
import json
from datetime import datetime

import pytest
from hypothesis import given, settings

from pytest_llmval.case_sets.message import Message
from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.capabilities import flips_of, profile_from_json
from pytest_llmval.scoring.tokens.chat_template.contract import assert_chat_template_contract, check_chat_template
from pytest_llmval.scoring.tokens.chat_template.probing import probe_chat_template
from pytest_llmval.scoring.tokens.chat_template.profile import ChatTemplateProfile
from pytest_llmval.scoring.tokens.chat_template.rendering import render
from pytest_llmval.scoring.tokens.chat_template.stability import unstable_prompt, unstable_turns
from pytest_llmval.strategies import conversations

TURN = "{{ '<|' + message['role'] + '|>' + message['content'] }}"
EOS = "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
PROMPT = "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
LOOP = "{% for message in messages %}" + TURN + EOS + "{% endfor %}"
WHOLE = "{{ bos_token }}" + LOOP + PROMPT

LATE_EOS = (
    "{{ bos_token }}{% for message in messages %}" + TURN + "{% if loop.last and message['role'] == 'assistant' %}"
    "{{ eos_token }}{% endif %}{% endfor %}" + PROMPT
)
FORGETS_THOUGHTS = WHOLE.replace(
    "message['content']", "(message['content'] if loop.last else message['content'].split('</think>')[-1])"
)
WITH_DATE = WHOLE.replace("{{ bos_token }}", "{{ bos_token + strftime_now('%d %b %Y') }}")
STRICT = (
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) or message['role'] "
    "not in ['user', 'assistant'] %}{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}"
)
TOOLS = (
    "{% if tools %}{{ tools | tojson }}{% endif %}" + "{% for message in messages %}{{ '<|' + message['role'] + '|>' + "
    "(message['content'] or '') }}{% for call in message['tool_calls'] or [] %}{{ call['function'] | tojson }}"
    "{% endfor %}" + EOS + "{% endfor %}" + PROMPT
)
MASKED = WHOLE.replace(TURN + EOS, "{% if message['role'] == 'assistant' %}{{ '<|assistant|>' }}{% generation %}"
    "{{ message['content'] + eos_token }}{% endgeneration %}{% else %}" + TURN + "{% endif %}")  # fmt: skip


@pytest.fixture
def template(v1):
    """A function that gives v1's tokenizer another template."""

    def change(text):
        v1.chat_template = text
        return v1

    return change


def test_the_example_models_template(v1):
    """Sound, with these capabilities; frozen as JSON it flips nothing."""
    report = assert_chat_template_contract(v1)

    assert str(report) == "chat template: 7 invariants hold over 13 examples"
    frozen = json.loads(json.dumps(report.profile.as_json()))
    examples = frozen.pop("examples")
    assert {name for name, value in frozen.items() if value is True} == {
        "prompt_stable", "turns_stable", "keeps_history", "sanitizes_user_text", "writes_bos", "doubles_bos_as_text",
        "prompts_generation", "prompt_meets_answer", "ends_answer_with_control_token", "keeps_white_space",
        "supports_system",
    }  # fmt: skip
    assert {name for name, value in frozen.items() if value is None} == {"tools_stable", "masks_end_of_answer"}
    assert frozen["control_tokens"] == ["<s>", "<|user|>", "<|assistant|>", "</s>"]
    assert "changes the number of '<pad>', '<s>'" in examples["separates_user_text"]
    assert profile_from_json(ChatTemplateProfile, frozen) == report.profile
    assert assert_chat_template_contract(v1, profile=frozen, baseline=v1).passed


def test_the_version_with_another_template(v1, v4):
    """v4 against v1: the control tokens are gone, and the end of the answer with them."""
    with pytest.raises(ModelRegression) as raised:
        assert_chat_template_contract(v4, baseline=v1)

    text = str(raised.value)
    assert text.splitlines()[0] == "chat template: 3 capabilities flipped (baseline -> candidate)"
    assert "control_tokens: '<|user|>' lost, '<|assistant|>' lost, '</s>' lost" in text
    assert "ends_answer_with_control_token: yes -> no\n    baseline: '</s>' follows the answer" in text
    assert "candidate: '<|im_end|>\\n' follows the answer" in text
    assert assert_chat_template_contract(v4).passed


@pytest.mark.parametrize(
    ("planted", "capability", "words"),
    [
        (
            WHOLE + "{{ '\\n' }}",
            "ends_with_white_space",
            "candidate: the prompt ends with ' my order?<|assistant|>\\n'",
        ),
        (WHOLE + "{{ '\\n' }}", "prompt_stable", "1 turn and the generation prompt share 9 of 10 tokens with 2 turns"),
        (WHOLE + "{{ '\\n' }}", "prompt_meets_answer", "before the answer stands"),
        (LATE_EOS, "turns_stable", "2 turns share "),
        (FORGETS_THOUGHTS, "keeps_history", "2 turns share "),
        (WITH_DATE, "depends_on_date", "candidate: '<s>05 Jan 2024<|system|>Be kind."),
        (LOOP + PROMPT, "writes_bos", "candidate: begins with ['<|user|>', "),
        ("{{ bos_token }}" + LOOP, "prompts_generation", "yes -> no"),
        (STRICT + WHOLE, "supports_system", "candidate: refused: TemplateError: roles must alternate"),
        (STRICT + WHOLE, "checks_role_order", "no -> yes"),
        (STRICT + WHOLE, "refuses_unknown_roles", "no -> yes"),
        (WHOLE.replace("message['content']", "message['content'] | trim"), "keeps_white_space", "yes -> no"),
        (WHOLE.replace("eos_token", "'</end>'"), "ends_answer_with_control_token", "'</end>' follows the answer"),
        (WHOLE.replace("{{ eos_token }}", "{{ ' ' }}"), "control_tokens", "'</s>' lost"),
        (TOOLS, "supports_tools", "no -> yes"),
    ],
)
def test_a_planted_flip_is_named(v1, template, planted, capability, words):
    """Against the profile of v1, with an example of either side."""
    baseline = probe_chat_template(v1)

    with pytest.raises(ModelRegression) as raised:
        assert_chat_template_contract(template(planted), baseline=baseline)

    text = str(raised.value)
    assert f"  {capability}: " in text
    assert words in text[text.index(f"  {capability}: ") :]


def test_a_flip_the_other_way_is_named_too(v1, template):
    """Tools and masks that no longer work."""
    with_tools = probe_chat_template(template("{{ bos_token }}" + TOOLS))
    assert with_tools.supports_tools is True
    assert with_tools.tools_stable is True
    masked = probe_chat_template(template(MASKED))
    assert masked.masks_end_of_answer is True
    outside = MASKED.replace("{{ message['content'] + eos_token }}{% endgeneration %}",
                             "{{ message['content'] }}{% endgeneration %}{{ eos_token }}")  # fmt: skip

    with pytest.raises(ModelRegression, match="masks_end_of_answer: yes -> no"):
        assert_chat_template_contract(template(outside), baseline=masked)
    flips = flips_of(probe_chat_template(template(WHOLE)), with_tools)
    assert [each.capability for each in flips] == ["tools_stable", "supports_tools"]


def test_an_unstable_tool_turn(template):
    """P3: the call is rendered differently once its result is there."""
    forgotten = TOOLS.replace("message['tool_calls'] or []", "(message['tool_calls'] or [] if loop.last else [])")

    found = probe_chat_template(template(forgotten))

    assert found.supports_tools is True
    assert found.tools_stable is False


def test_ids_are_compared_rather_than_text(families):
    """A merge across the seam: the text is a start of the longer text, its ids are not."""
    merging = copy.deepcopy(families["byte-level"])
    merging.chat_template = (
        "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )

    found = probe_chat_template(merging)

    assert found.prompt_meets_answer is True
    assert found.turns_stable is True
    assert found.prompt_stable is False
    assert "1 turn and the generation prompt share" in found.examples["prompt_stable"]


@pytest.mark.parametrize("start", ["", "\n", "  {% if true %}x{% endif %}"])
def test_the_clock_is_stopped_without_another_change(v1, template, start):
    """Whatever white space the template begins with, all but the date is as the model will see it."""
    clock = "{% if strftime_now is defined %}{% set today = strftime_now('%d %b %Y, %-d') %}{% endif %}{{ today }}"
    turns = [{"role": "user", "content": "Hi"}]

    rendered = render(template(start + clock + WHOLE), turns, generation=True)

    today = datetime.now().astimezone()
    usual = v1.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert "31 Jan 2024, 31" in rendered.text
    assert rendered.text.replace("31 Jan 2024, 31", f"{today:%d %b %Y}, {today.day}") == usual
    assert probe_chat_template(v1).depends_on_date is True


class Doubled:
    """Ids that are not those of the text."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def __len__(self):
        return len(self.tokenizer)

    def __call__(self, *args, **options):
        """Encode as before."""
        return self.tokenizer(*args, **options)

    def apply_chat_template(self, turns, *, tokenize=True, **options):
        """Leave the first id out."""
        rendered = self.tokenizer.apply_chat_template(turns, tokenize=tokenize, **options)
        return rendered[1:] if tokenize else rendered


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        (
            "{{ bos_token }}" + WHOLE,
            "at most one BOS stands at the start: conversation 'one turn': begins with ['<s>', '<s>'",
        ),
        (
            "{{ raise_exception('no users today') }}",
            "an ordinary conversation is rendered: conversation 'one turn': refused, TemplateError: no users today",
        ),
        ("{{ messages[7]['content'] }}", "an ordinary conversation is rendered: conversation 'one turn': refused, "),
        (
            "{% if false %}x{% endif %}",
            "an ordinary conversation is rendered: conversation 'one turn': no ids, of the text ''",
        ),
        (
            "{% for message in messages %}{% if loop.last %}" + TURN + "{% endif %}{% endfor %}" + PROMPT,
            "the text of every message is rendered: conversation 'three turns': turn 0 'Where is my order?' is not in",
        ),
        (
            WHOLE + "{{ range(99999) | random }}",
            "rendering is deterministic: conversation 'one turn': rendered twice",
        ),
    ],
)
def test_what_is_always_a_fault(template, planted, words):
    """Without any baseline."""
    with pytest.raises(ModelRegression) as raised:
        assert_chat_template_contract(template(planted))

    assert words in str(raised.value)


def test_ids_that_the_text_does_not_give(v1):
    """A subclass with a path of its own."""
    with pytest.raises(
        ModelRegression, match="ids are those of the rendered text: conversation 'one turn': the text giv"
    ):
        assert_chat_template_contract(Doubled(v1))


def test_a_conversation_of_ones_own_that_breaks_what_was_probed(template):
    """Stable in the probe, unstable after ten turns."""
    forgetful = template(WHOLE.replace("{% for message in messages %}", "{% for message in messages[-10:] %}"))
    long = [Message("user" if n % 2 == 0 else "assistant", f"turn {n}") for n in range(12)]
    assert check_chat_template(forgetful).passed

    text = str(check_chat_template(forgetful, conversations=[long]))

    assert "turns stable, as probed: conversation 'conversations[0]': 10 turns share 1 of" in text


def test_a_template_that_was_lost(v1, template):
    """A regression when the baseline has one; else nothing can be said, and how to have one is."""
    profile = probe_chat_template(v1)
    without = template(None)

    with pytest.raises(ModelRegression, match="chat template: the baseline has one -> the candidate has none"):
        assert_chat_template_contract(without, baseline=profile)
    with pytest.raises(InvalidComparison, match=r"has no chat template, .* expected chat_template.jinja beside"):
        assert_chat_template_contract(without)
    with pytest.raises(InvalidComparison, match="has no chat template"):
        probe_chat_template(without)


def test_a_baseline_without_a_template(v1, v4):
    """There is nothing to flip from."""
    v4.chat_template = None

    with pytest.raises(InvalidComparison, match="the baseline has no chat template"):
        assert_chat_template_contract(v1, baseline=v4)


def test_conversations_that_are_none(v1):
    """What was given, and what would be right."""
    with pytest.raises(ValueError, match=r"conversation \[\]; expected a non-empty list of"):
        assert_chat_template_contract(v1, conversations=[[]])
    with pytest.raises(ValueError, match=r"message 'Hi'; expected \{'role': 'user'"):
        assert_chat_template_contract(v1, conversations=[["Hi"]])
    with pytest.raises(ValueError, match="profile='loose'; expected 'auto', a ChatTemplateProfile"):
        assert_chat_template_contract(v1, profile="loose")


@settings(max_examples=25, derandomize=True)
@given(turns=conversations(max_turns=5, special=False))
def test_v1_is_stable_whatever_is_said(session_v1, turns):
    """A law of a template whose turns begin with control tokens."""
    assert unstable_turns(session_v1, turns) == ""
    assert unstable_prompt(session_v1, turns) == ""
