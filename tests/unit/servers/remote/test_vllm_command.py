"""How vLLM is started, and how its logprobs of a prompt are read."""

import json
import shutil
import sys

import pytest

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.reference import Reference
from pytest_llmval.servers.remote.echoes import text_tokens
from pytest_llmval.servers.remote.launching import served_name, vllm_command
from pytest_llmval.servers.remote.scoring import ByPromptLogprobs
from pytest_llmval.settings import ModelSettings

UNKNOWN = Reference(ModelSettings(name="v2", server="vllm"))


def options(command):
    """Each option with what follows it."""
    return {command[at]: command[at + 1] for at in range(len(command) - 1) if command[at].startswith("--")}


def test_what_the_settings_say_is_said_to_vllm():
    """Model, dtype and revision; what the user adds comes last, so that it wins."""
    model = ModelSettings(
        name="v2", server="vllm", model="m", dtype="bfloat16", revision="main", args=("--max-model-len", "64")
    )

    command = vllm_command(model)

    assert command[:3] == (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
    told = options(command)
    assert told["--model"] == "m"
    assert told["--served-model-name"] == served_name(model) == "v2"
    assert (told["--host"], told["--port"]) == ("127.0.0.1", "{port}")
    assert (told["--dtype"], told["--revision"]) == ("bfloat16", "main")
    assert command[-2:] == ("--max-model-len", "64")


@pytest.mark.parametrize(("rank", "most"), [(8, None), (16, None), (17, "32"), (24, "32"), (300, "320"), (None, None)])
def test_an_adapter_is_given_room_for_its_rank(tmp_path, rank, most):
    """VLLM takes 16 at most unless it is told otherwise, and then only some numbers."""
    (tmp_path / "adapter_config.json").write_text(json.dumps({} if rank is None else {"r": rank}), encoding="utf-8")
    model = ModelSettings(name="v2", server="vllm", model="m", adapter=str(tmp_path))

    told = options(vllm_command(model))

    assert told["--lora-modules"] == f"{served_name(model)}={tmp_path}"
    assert told.get("--max-lora-rank") == most


def answer(*entries, ids):
    """An answer as vLLM 0.32 gives it: for each token the logprobs of the token itself and of the most probable."""
    return {"choices": [{"text": "x", "prompt_logprobs": list(entries), "prompt_token_ids": list(ids)}]}


def entry(token_id, token, logprob, *, best=None):
    """One place."""
    own = {str(token_id): {"logprob": logprob, "rank": 1 if best is None else 5, "decoded_token": token}}
    return own if best is None else own | {str(best[0]): {"logprob": best[2], "rank": 1, "decoded_token": best[1]}}


def test_bos_is_no_part_of_the_text():
    """Of it nothing is told; the other tokens add up to the text, each with its own logprob and the highest."""
    body = answer(None, entry(7, "He", -2.0, best=(9, "She", -0.5)), entry(8, "llo", -0.25), ids=(0, 7, 8))

    placed = text_tokens(ByPromptLogprobs(UNKNOWN).read(body, "Hello"), "Hello")

    assert [(each.token.token, each.start, each.token.logprob) for each in placed] == [
        ("He", 0, -2.0),
        ("llo", 2, -0.25),
    ]
    assert placed[0].token.top[0] == ("She", -0.5)


def test_without_bos_the_first_token_is_what_the_others_leave():
    """It has no logprob, since nothing stands before it."""
    body = answer(None, entry(8, "llo", -0.25), ids=(7, 8))

    placed = text_tokens(ByPromptLogprobs(UNKNOWN).read(body, "Hello"), "Hello")

    assert [(each.token.token, each.token.logprob) for each in placed] == [("He", None), ("llo", -0.25)]


def test_an_answer_without_them():
    """Is read as one of a server that ignored the question."""
    body = ByPromptLogprobs(UNKNOWN).read({"choices": [{"text": "x"}]}, "Hello")

    assert body["choices"][0]["logprobs"] is None


def test_characters_of_several_tokens_need_the_tokenizer():
    """Nobody could tell a first part of a character from BOS."""
    body = answer(None, entry(8, "\ufffd", -0.25), entry(9, "\ufffd", -0.5), ids=(7, 8, 9))

    with pytest.raises(RequestRefused, match=r'cannot be told; name a folder with the tokenizer, reference = "…"$'):
        ByPromptLogprobs(UNKNOWN).read(body, "雪")


@pytest.mark.parametrize("adds_bos", [True, False])
def test_with_the_tokenizer_they_are_told(tiny_model, make_tokenizer, tmp_path, adds_bos):
    """A first token that is BOS is left out, one that is part of a character is not."""
    folder = shutil.copytree(tiny_model("llama").model, tmp_path / "model")
    make_tokenizer(folder, adds_bos=adds_bos)
    reference = Reference(ModelSettings(name="v2", server="vllm", reference=str(folder)))
    text = "雪 and"
    ids = reference.tokenizer(text)["input_ids"]
    entries = [entry(each, reference.tokenizer.decode([each]), -1.0) for each in ids[1:]]

    placed = text_tokens(ByPromptLogprobs(reference).read(answer(None, *entries, ids=ids), text), text)

    assert len(placed) == len(ids) - adds_bos
    assert [each.token.logprob is None for each in placed].count(True) == (0 if adds_bos else 1)
