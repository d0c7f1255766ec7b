"""The scripted server gives what is written down."""

import json

import pytest

from pytest_llmval.errors import SettingsError
from pytest_llmval.servers.exchange import Request
from pytest_llmval.servers.scripted import ScriptedServer


@pytest.fixture
def server(tmp_path):
    """A function that gives the server of a file with these entries."""

    def made(*entries):
        path = tmp_path / "answers.jsonl"
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
        return ScriptedServer.from_file(path)

    return made


def texts(server, seeds, prompt="why?"):
    """The answers to one prompt with these seeds."""
    return [response.text for response in server.answer([Request(prompt, seed=seed) for seed in seeds])]


def test_the_seed_selects_one_of_several_texts(server):
    """Trials of a case have seeds of their own, so that their answers may differ; the same seed gives the same one."""
    assert texts(server({"prompt": "why?", "texts": ["a", "b", "c"]}), [0, 1, 2, 3, 1]) == ["a", "b", "c", "a", "b"]


def test_one_text_is_given_whatever_the_seed(server):
    """As under greedy decoding."""
    assert texts(server({"prompt": "why?", "text": "so"}), range(3)) == ["so"] * 3


def test_no_texts_are_the_empty_answer(server):
    """An empty list selects nothing."""
    assert texts(server({"prompt": "*", "texts": []}), [5]) == [""]


def test_a_line_without_an_answer_is_refused(tmp_path):
    """A misspelt field would be an empty answer to every question."""
    path = tmp_path / "answers.jsonl"
    path.write_text('{"prompt": "a", "txt": "yes"}\n', encoding="utf-8")

    expected = r"answers\.jsonl:1: no answer to the prompt; expected one of error, logprobs, text, texts, got '\{"
    with pytest.raises(SettingsError, match=expected):
        ScriptedServer.from_file(path)
