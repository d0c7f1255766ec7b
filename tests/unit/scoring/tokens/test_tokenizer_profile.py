"""Capabilities of a tokenizer: probed right for four families, frozen, and named when they flip."""

from __future__ import annotations

import json

import pytest

from pytest_llmval.errors import ModelRegression
from pytest_llmval.scoring.tokens.capabilities import flips_of, profile_from_json
from pytest_llmval.scoring.tokens.tokenizer.contract import assert_tokenizer_contract
from pytest_llmval.scoring.tokens.tokenizer.probing import probe_tokenizer
from pytest_llmval.scoring.tokens.tokenizer.profile import TokenizerProfile

FEW = ["Hello there", "a b"]

# Lossless, idempotent and offsets_cover are the table of §5 of the reference, found there by a search with Hypothesis;
# the others follow from how each tokenizer of conftest.py is put together.
EXPECTED = {
    "byte-level": {"lossless", "idempotent", "knows_all_text", "offsets_cover", "adds_bos", "refuses_surrogates"},
    "llama-style": {
        "idempotent", "knows_all_text", "offsets_cover", "adds_prefix_space", "adds_bos", "refuses_surrogates",
    },
    "word-piece": {
        "idempotent", "lowercases", "strips_accents", "composes", "collapses_spaces", "cleans_up_spaces", "adds_bos",
        "adds_eos", "refuses_surrogates",
    },
    "unigram": {"composes", "folds_compatibility", "adds_prefix_space", "adds_eos", "refuses_surrogates"},
}  # fmt: skip


@pytest.mark.parametrize("family", list(EXPECTED))
def test_capabilities_of_four_families(families, family):
    """Exactly these hold, and every other question has the answer no."""
    found = probe_tokenizer(families[family]).as_json()

    answers = {name: value for name, value in found.items() if name not in {"examples", "special_tokens"}}
    assert {name for name, value in answers.items() if value} == EXPECTED[family]
    assert set(answers.values()) == {True, False}
    assert list(found["special_tokens"].values()) == [0, 1, 2, 3]


@pytest.mark.parametrize("family", list(EXPECTED))
def test_a_profile_survives_json(families, family):
    """Frozen in a golden, it flips nothing."""
    profile = probe_tokenizer(families[family])

    again = profile_from_json(TokenizerProfile, json.loads(json.dumps(profile.as_json())))

    assert again == profile
    assert flips_of(profile, again) == ()
    assert assert_tokenizer_contract(families[family], profile=profile.as_json(), examples=FEW, long_text=16_384).passed


def lowercase(data):
    """A normaliser that was not there."""
    data["normalizer"] = {"type": "Lowercase"}


def nfc(data):
    """Another one."""
    data["normalizer"] = {"type": "NFC"}


def nfkc(data):
    """And another one."""
    data["normalizer"] = {"type": "NFKC"}


def without_bos(data):
    """The BOS is no longer added."""
    data["post_processor"]["single"] = data["post_processor"]["single"][1:]


def lost_token(data):
    """A special token becomes ordinary text."""
    data["added_tokens"] = [each for each in data["added_tokens"] if each["content"] != "<|user|>"]


def prefix_space(data):
    """A space before the first word."""
    data["pre_tokenizer"]["pretokenizers"][-1]["add_prefix_space"] = True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lowercase,
            "lowercases: no -> yes\n    baseline: 'AB' (U+0041 U+0042) and 'ab' (U+0061 U+0062) are encoded diff",
        ),
        (nfc, "composes: no -> yes\n    baseline: 'e\u0301' (U+0065 U+0301) and 'é' (U+00E9) are encoded differently"),
        (nfkc, "folds_compatibility: no -> yes"),
        (nfkc, "lossless: yes -> no\n    baseline: all 21 probes\n    candidate: 'e\u0301' becomes 'é'"),
        (
            without_bos,
            "adds_bos: yes -> no\n    baseline: before 'a' stand ['<s>']\n    candidate: before 'a' stand []",
        ),
        (lost_token, "special_tokens: '<|user|>' (id 4) lost"),
        (prefix_space, "adds_prefix_space: no -> yes\n    baseline: 'a' gives ['a']\n    candidate: 'a' gives ['Ġa']"),
    ],
)
@pytest.mark.parametrize("kind", ["baseline", "profile"])
def test_a_flipped_capability_is_named_with_an_example(v1, remade, change, words, kind):
    """Against the baseline's tokenizer, and against a frozen profile."""
    known = v1 if kind == "baseline" else probe_tokenizer(v1).as_json()

    with pytest.raises(ModelRegression) as raised:
        assert_tokenizer_contract(remade(change), **{kind: known}, examples=FEW, long_text=16_384)

    assert "flipped (baseline -> candidate)" in str(raised.value).splitlines()[0]
    assert words in str(raised.value)


def test_nothing_flips_against_itself(v1, remade):
    """Made again from its file it is the same."""
    again = remade(lambda _: None)

    assert assert_tokenizer_contract(again, baseline=v1, examples=FEW, long_text=16_384).flips == ()


def test_cleaning_up_spaces_is_noticed(v1):
    """The default that changed under many models."""
    baseline = probe_tokenizer(v1)
    v1.clean_up_tokenization_spaces = True
    v1.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output = True

    flips = {each.capability: str(each) for each in flips_of(probe_tokenizer(v1), baseline)}

    assert "candidate: 'a . b' becomes 'a. b'" in flips["cleans_up_spaces"]


def test_splitting_special_tokens_is_noticed(v1):
    """Untrusted text is then ordinary text."""
    assert probe_tokenizer(v1).splits_special_tokens is False
    v1.split_special_tokens = True

    assert probe_tokenizer(v1).splits_special_tokens is True


def test_a_moved_special_token_and_a_lost_one():
    """Each change of the ids is said."""
    baseline = TokenizerProfile(special_tokens={"<s>": 1, "</s>": 2, "<pad>": 0})
    candidate = TokenizerProfile(special_tokens={"<s>": 1, "</s>": 3, "<new>": 4})

    (flip,) = flips_of(candidate, baseline)

    assert str(flip) == "special_tokens: '<pad>' (id 0) lost, '</s>' moved from id 2 to 3, '<new>' (id 4) new"


def test_a_profile_of_an_older_version_does_not_flip_what_it_did_not_know():
    """None says nothing; but a question that no longer arises is a flip."""
    assert flips_of(TokenizerProfile(lossless=True), TokenizerProfile()) == ()
    (flip,) = flips_of(TokenizerProfile(), TokenizerProfile(offsets_cover=True))
    assert str(flip) == "offsets_cover: yes -> not applicable"


def test_an_unknown_capability_in_a_golden():
    """A name that was mistyped, or of a later version."""
    with pytest.raises(ValueError, match="TokenizerProfile has no capability 'losless'; did you mean 'lossless'"):
        profile_from_json(TokenizerProfile, {"losless": True})
