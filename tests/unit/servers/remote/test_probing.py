"""What a server is found to do, with each of its defects switched on."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.server import Capabilities

ALL = Capabilities(
    chat=True,
    logprobs=True,
    loglikelihood=True,
    seed=True,
    stop=True,
    token_ids=True,
    streaming=True,
    json_schema=True,
)


def test_a_sound_server_does_everything(connect, served):
    """All capabilities but logits, and what else is looked for; asked once, however often it is looked up."""
    server = connect()

    assert server.capabilities == ALL
    assert all(finding.holds for finding in server.probed.findings)
    asked = len(served.asked)
    assert server.capabilities == ALL
    assert len(served.asked) == asked <= 28


def test_nothing_is_asked_before_a_capability_is_needed(connect, served):
    """Making a server costs no request, nor does counting tokens."""
    assert connect().count_tokens("four bytes a token") == 5
    assert served.asked == []


@pytest.mark.parametrize(
    ("defects", "name", "evidence"),
    [
        ({"ignores_logprobs": True}, "logprobs", r"asked for logprobs \(completions\), none came back"),
        ({"ignores_seed": True}, "seed", r"seed 1 gave two texts at temperature 1: '.*' and '.*'"),
        ({"stays_greedy": True}, "seed", r"the seeds 1 to 4 gave the same text at temperature 1: '.*'"),
        (
            {"ignores_schema": True},
            "json_schema",
            r"asked for JSON of a schema with one field `sure`.*; the answer is .*",
        ),
        ({"ignores_stop": True}, "stop", r"asked to stop at '.*', the answer went on: '.*'"),
        ({"ignores_token_ids": True}, "token_ids", r"asked for token ids, none came back"),
        ({"ignores_top_k": True}, "top_k", r"asked for top_k = 1 at temperature 1, the answers were not greedy: .*"),
        ({"stays_greedy": True}, "top_k", r"sampling at temperature 1 gave the greedy text, so that top_k cannot .*"),
        (
            {"echo_shifted": True},
            "loglikelihood",
            r"logprobs of a prompt are not those of its tokens, by .* on average: the first is -\S+, while .* -\S+",
        ),
        ({"no_usage": True}, "usage", r"no number of tokens came with the answer"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_defect_is_found_and_no_other(connect, served, defects, name, evidence):
    """The finding says what was asked and what came back."""
    served.suffer(**defects)

    probed = connect().probed

    assert not probed.holds(name)
    assert re.fullmatch(evidence, probed.evidence(name)), probed.evidence(name)
    consequences = {"stays_greedy": {"top_k", "seed"}, "ignores_logprobs": {"loglikelihood"}, "no_usage": {"token_ids"}}
    expected = {name}.union(*(consequences.get(defect, ()) for defect in defects))
    assert {each.name for each in probed.findings if not each.holds} == expected


def test_a_server_without_completions_still_chats(connect, served):
    """What needs completions is missing, with the reason; the rest is asked over chat."""
    served.suffer(no_path=["completions"])

    probed = connect().probed

    assert not probed.holds("loglikelihood")
    assert probed.evidence("loglikelihood") == "without completions the logprobs of a prompt cannot be asked"
    assert probed.capabilities == replace(ALL, loglikelihood=False)


def test_a_server_without_chat_still_completes(connect, served):
    """A model without a template serves plain prompts."""
    served.suffer(no_path=["chat/completions"])

    assert connect().capabilities == replace(ALL, chat=False)


def test_a_server_that_has_to_generate_a_token_still_echoes(connect, served):
    """The refusal of 0 is tried with 1, which is remembered."""
    served.suffer(least_tokens=1)

    probed = connect().probed

    assert probed.holds("loglikelihood")
    assert probed.echo_tokens == 1


def test_a_server_that_takes_no_token_for_no_limit(connect, served):
    """As llama.cpp does: one token is asked for after each text, and not as many as the context has room for."""
    served.suffer(zero_is_no_limit=True)

    probed = connect().probed

    assert probed.holds("loglikelihood")
    assert probed.echo_tokens == 1


def test_a_server_that_gives_no_logprob_of_what_it_wrote_last(connect, served):
    """As llama.cpp does without BOS: the tokens add up to what was asked, and the text goes on."""
    served.suffer(least_tokens=1, last_token_without_logprob=True)

    assert connect().probed.holds("loglikelihood")


def test_a_server_that_breaks_down_over_logprobs_is_not_insisted_on(connect, served):
    """Each option is asked twice at most, so that looking takes no half a minute."""
    served.suffer(breaks_over="logprobs")
    waits = []

    probed = connect(waits=waits).probed

    assert {each.name for each in probed.findings if not each.holds} == {"logprobs", "loglikelihood"}
    assert len(waits) <= 4


def test_a_server_that_has_neither_path(connect, served):
    """Is no such server; both refusals are shown."""
    served.suffer(no_path=["completions", "chat/completions"])

    with pytest.raises(ServerError, match=r"/completions: .*404.*; .*/chat/completions: .*404"):
        _ = connect().capabilities


def test_a_server_that_fails_while_it_is_probed_is_no_server_without_capabilities(connect, served):
    """Infrastructure says nothing about what the server can do."""
    served.suffer(failing=1000)

    with pytest.raises(ServerError, match=r"no answer after 4 attempts"):
        _ = connect().capabilities


def test_a_server_that_breaks_down_over_an_option(connect, served):
    """It answers without the option: the option is missing, and the rest is looked for."""
    served.suffer(breaks_over="response_format")

    probed = connect().probed

    assert {each.name for each in probed.findings if not each.holds} == {"json_schema"}
    assert re.search(r"no answer after 2 attempts in .*500", probed.evidence("json_schema"))
    assert next(each for each in probed.findings if not each.holds).refused


def test_findings_read_as_lines(connect):
    """For the table that the run shows."""
    lines = [str(finding) for finding in connect().probed.findings]

    assert "chat: yes, it answers" in lines
    assert "n: yes, asked for 2 answers, 2 came back" in lines
