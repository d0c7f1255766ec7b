"""Prompts to token ids: one BOS, the model's own template, continuations split like lm-eval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.engine.encoding import encode_pair, encode_prompt
from pytest_llmval.servers.exchange import Message, Request

if TYPE_CHECKING:
    from pathlib import Path

CHAT = (Message("user", "What does a lost card cost?"), Message("assistant", "Five."), Message("user", "And a book?"))


@pytest.fixture(scope="module")
def tokenizer(engine: Any) -> Any:
    """A tokenizer that adds BOS and whose template writes BOS too."""
    return engine.tokenizer


@pytest.mark.parametrize("prompt", ["The library", "<s>The library", CHAT], ids=["text", "text with BOS", "chat"])
def test_one_bos(tokenizer: Any, prompt: Any) -> None:
    """Whoever writes the BOS, tokenizer, template or user, there is exactly one."""
    ids = encode_prompt(tokenizer, prompt)

    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_chat_in_one_step(tokenizer: Any) -> None:
    """Rendering and encoding give the ids of apply_chat_template with tokenize=True."""
    turns = [{"role": message.role, "content": message.content} for message in CHAT]

    expected = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True)["input_ids"]

    assert encode_prompt(tokenizer, CHAT) == expected


def test_two_bos(tokenizer: Any) -> None:
    """A prompt with two BOS is refused."""
    with pytest.raises(RequestRefused, match=r"prompt starts with two BOS tokens '<s>'; expected one: '<s><s>The"):
        encode_prompt(tokenizer, "<s><s>The")


def test_empty_prompt(tokenizer: Any) -> None:
    """An empty prompt is refused, although BOS alone could be continued."""
    with pytest.raises(RequestRefused, match=r"^prompt '' is empty; expected at least one token of text$"):
        encode_prompt(tokenizer, "")


def test_no_template(make_tokenizer: Any, tmp_path: Path) -> None:
    """A chat without a template is refused, naming the file that would hold one."""
    tokenizer = make_tokenizer(tmp_path, chat_template=None)

    with pytest.raises(RequestRefused, match=r"the tokenizer has no chat template; .* chat_template\.jinja"):
        encode_prompt(tokenizer, CHAT)


def test_template_refuses(make_tokenizer: Any, tmp_path: Path) -> None:
    """What the template raises reaches the reader, with the roles it saw."""
    tokenizer = make_tokenizer(tmp_path, chat_template="{{ raise_exception('no system role') }}")

    with pytest.raises(RequestRefused, match=r"refused the messages \(user, assistant, user\): no system role"):
        encode_prompt(tokenizer, CHAT)


def test_pair(tokenizer: Any) -> None:
    """Context and continuation are split where the context's own tokens end."""
    context, continuation = encode_pair(tokenizer, "The library", " hours", special=True)

    assert context == tokenizer("The library")["input_ids"]
    assert context + continuation == tokenizer("The library hours")["input_ids"]


@pytest.mark.parametrize("space", [" ", "\n", " \n "])
def test_trailing_space(tokenizer: Any, space: str) -> None:
    """White space at the end of the context belongs to the continuation."""
    context, continuation = encode_pair(tokenizer, "The library" + space, "hours", special=True)

    assert context == tokenizer("The library")["input_ids"]
    assert tokenizer.decode(continuation) == space + "hours"


def test_merge_at_the_boundary(tokenizer: Any) -> None:
    """When the continuation merges into the context's last token, the merged token is scored."""
    alone, whole = (tokenizer(text)["input_ids"] for text in ("The lib", "The library"))
    assert len(alone) >= len(whole)

    context, continuation = encode_pair(tokenizer, "The lib", "rary", special=True)

    assert context + continuation == whole
    assert tokenizer.decode(continuation) == " library"


@pytest.mark.parametrize("adds_bos", [True, False])
def test_empty_context(make_tokenizer: Any, tmp_path: Path, *, adds_bos: bool) -> None:
    """After an empty context all tokens are scored, BOS in front of them, once."""
    tokenizer = make_tokenizer(tmp_path, adds_bos=adds_bos)

    pairs = [encode_pair(tokenizer, "", text, special=True) for text in ("The library", "<s>The library")]

    assert pairs[0] == pairs[1] == ([0], tokenizer("The library", add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize(("context", "continuation"), [("The", ""), ("The ", ""), ("", ""), ("", "<s>")])
def test_nothing_to_score(tokenizer: Any, context: str, continuation: str) -> None:
    """A continuation without a token of its own is refused."""
    with pytest.raises(RequestRefused, match=rf"continuation '{continuation}' has no token of its own"):
        encode_pair(tokenizer, context, continuation, special=True)


def test_neither_bos_nor_eos(make_tokenizer: Any, tmp_path: Path) -> None:
    """Without BOS and EOS nothing can stand before the first token."""
    tokenizer = make_tokenizer(tmp_path, adds_bos=False)
    tokenizer.bos_token = tokenizer.eos_token = None

    with pytest.raises(RequestRefused, match="neither BOS nor EOS"):
        encode_pair(tokenizer, "", "The", special=True)


def test_count_tokens(tiny_model: Any) -> None:
    """Counting tokens counts BOS once and loads no weights."""
    from pytest_llmval.servers.engine import TransformersEngine

    engine = TransformersEngine(tiny_model("llama"))

    counts = [engine.count_tokens(text) for text in ("The library", "<s>The library", "")]

    assert counts == [len(engine.tokenizer("The library")["input_ids"])] * 2 + [1]
    assert "network" not in vars(engine)


def test_chat_is_answered_like_its_rendering(engine: Any) -> None:
    """A chat gives what its rendered text gives as a plain prompt."""
    turns = [{"role": message.role, "content": message.content} for message in CHAT]
    rendered = engine.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)

    chat, text = engine.answer([Request(CHAT), Request(rendered)])

    assert chat.token_ids == text.token_ids
    assert chat.usage == text.usage
