"""Each bug of a tokenizer changes what it does, and is taken out again."""

from pathlib import Path

import pytest
import transformers

from pytest_llmval.scoring.tokens.known_bugs import known_token_bugs

V1 = Path(__file__).parents[4] / "example_suites" / "models" / "v1"
TEXT = "Ｆull width, Ink and PAPER"
CHAT = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def tokenizer():
    """The example model's."""
    return transformers.AutoTokenizer.from_pretrained(V1)


def seen(tokenizer):
    """What a user sees of it."""
    return tokenizer(TEXT)["input_ids"], tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)


def test_the_bugs_are_those_that_fit(tokenizer):
    """Without a template there is none to change."""
    names = [bug.name for bug in known_token_bugs(tokenizer)]

    assert names == [
        "wrong chat template",
        "newline after the template",
        "text normalised (NFKC, lower case)",
        "BOS added twice",
    ]
    assert known_token_bugs(object()) == ()


@pytest.mark.parametrize("place", range(4))
def test_a_bug_is_seen_and_taken_out_again(tokenizer, place):
    """Also when the test inside fails."""
    bug, before = known_token_bugs(tokenizer)[place], seen(tokenizer)

    with pytest.raises(RuntimeError), bug.inject(tokenizer):  # noqa: PT012 - the failing test inside
        inside = seen(tokenizer)
        raise RuntimeError

    assert inside != before
    assert seen(tokenizer) == before
