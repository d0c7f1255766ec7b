"""The seed belongs to what was asked, where it changes an answer."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.golden.answer import answer_of
from pytest_llmval.scoring.golden.comparability import changes_in_asking
from pytest_llmval.scoring.golden.document import from_text, to_text
from pytest_llmval.scoring.golden.kept import Kept
from pytest_llmval.servers.exchange import Decoding, Request, Response


def asked(seed, temperature=0.7, choices=()):
    return answer_of(Response("x", request=Request("q", choices, Decoding(temperature=temperature), seed)))


def read_back(answer):
    return from_text(to_text([Kept(answer)]))[0].answer


def test_another_seed_of_a_sampled_answer_is_named():
    """The seed 0 is one like others; the file keeps it."""
    assert changes_in_asking(read_back(asked(0)), asked(8)) == ("seed: 0 -> 8",)
    assert changes_in_asking(read_back(asked(8)), asked(8)) == ()


@pytest.mark.parametrize("more", [{"temperature": 0.0}, {"choices": (" a", " b")}])
def test_a_seed_without_effect_is_no_change(more):
    """Of a greedy answer and of a choice, which are the same for every seed."""
    assert changes_in_asking(read_back(asked(7, **more)), asked(8, **more)) == ()


def test_a_golden_that_does_not_tell_its_seed_is_compared():
    """As those that were written before seeds were kept."""
    text = to_text([Kept(asked(7))])
    older = from_text(text.replace('    "seed": 7,\n', ""))[0].answer

    assert older.asked.seed is None
    assert changes_in_asking(older, asked(8)) == ()
