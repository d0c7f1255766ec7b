"""Chat templates in the shapes that common models have: sound ones raise no alarm, and their nature is probed."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.tokens.chat_template.contract import assert_chat_template_contract

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HEADERS = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>\n\n' + message['content'] | trim + "
    "eos_token }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n\n' }}{% endif %}"
)
INSTRUCTIONS = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
RENAMED = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    "{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
BOS_EACH_TIME = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + message['content'] | trim + ' [/INST]' }}{% else %}"
    "{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}"
)
THOUGHTS = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' }}"
    "{% if message['role'] == 'assistant' and not loop.last and '</think>' in message['content'] %}"
    "{{ message['content'].split('</think>')[-1].lstrip('\n') }}{% else %}{{ message['content'] }}{% endif %}"
    "{{ eos_token + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML, {"writes_bos": False, "turns_stable": True, "supports_system": True, "ends_with_white_space": True}),
        (HEADERS, {"writes_bos": True, "keeps_white_space": False, "ends_answer_with_control_token": True}),
        (
            INSTRUCTIONS,
            {"supports_system": False, "checks_role_order": True, "prompts_generation": False, "turns_stable": True},
        ),
        (RENAMED, {"supports_system": False, "ends_answer_with_control_token": False, "checks_role_order": False}),
        (BOS_EACH_TIME, {"writes_bos": True, "doubles_bos_as_text": True, "prompts_generation": False}),
        (THOUGHTS, {"keeps_history": False, "turns_stable": True, "writes_bos": False, "doubles_bos_as_text": False}),
    ],
)
def test_a_sound_template_raises_no_alarm(v1, template, expected):
    """What it lacks is in its profile."""
    v1.chat_template = template

    profile = assert_chat_template_contract(v1).profile

    assert {name: getattr(profile, name) for name in expected} == expected
    assert profile.separates_user_text is False
    assert profile.depends_on_date is False
