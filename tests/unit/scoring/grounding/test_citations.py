"""Citations: whether what an answer cites was given to it."""

import re
import time

import pytest

from pytest_llmval import Response, Unscored
from pytest_llmval.scoring.grounding.citations import citations_exist


def share(grounded, answer, sources, **options):
    """The score of one answer."""
    (value,) = citations_exist(grounded(answer, sources=[sources]), **options).values
    return value


@pytest.mark.parametrize(
    ("sources", "answer", "expected"),
    [
        (["a text", "another"], "So [1] and so [2].", 1.0),
        (["a text", "another"], "So [1] and so [3].", 1 / 2),
        (["a text", "another"], "So [0], [3].", 0.0),
        (["a text", "another"], "So [1], as in [docs](https://a.b).", 1.0),  # a link cites nothing
        (["a text", "another"], "[1] [1] [9]", 2 / 3),  # each counts, also a repeated one
        (["faq-12", "law_3"], "So [faq-12], [law_3], [2], [faq-13].", 3 / 4),
        ([{"id": "faq-12", "text": "…"}, {"id": 7}], "[faq-12][7][1][x]", 3 / 4),
        ([{"text": "without id"}], "[1][None]", 1 / 2),
        ({"faq-12": "…", "3": "…"}, "[faq-12] [3] [1]", 2 / 3),
        ([], "So [1].", 0.0),
        (("a",), "So [1].", 1.0),
        (["a"], "[see below] [1]", 1.0),  # two words are no citation
    ],
)
def test_share(grounded, sources, answer, expected):
    """Lists are cited by number from 1 or by id, mappings by key."""
    assert share(grounded, answer, sources) == pytest.approx(expected)


def test_no_citation(grounded):
    """An answer that cites nothing scores 0, or nothing where citations are not required or there is no source."""
    nothing = Unscored("the answer cites nothing")

    assert share(grounded, "So.", ["a"]) == 0.0
    assert share(grounded, "", ["a"]) == 0.0
    assert share(grounded, "So.", ["a"], required=False) == nothing
    assert share(grounded, "So.", []) == nothing


def test_no_sources(grounded):
    """A case without sources has no score; a failed answer counts against the version."""
    scores = citations_exist(grounded("[1]", "[1]", Response.failed("x"), sources=[None, ["a"], ["a"]]))

    assert scores.values == (Unscored("the case has no sources"), 1.0, Unscored("x", failed=True))


def test_other_patterns(grounded):
    """The name is the first group, or the whole citation; each pattern is another metric."""
    assert share(grounded, "So (1) and (4).", ["a"], pattern=r"\((\d+)\)") == 0.5
    assert share(grounded, "So §1 and §2.", {"§1": "a"}, pattern=r"§\d+") == 0.5
    versions = {
        citations_exist(grounded("[1]", sources=[["a"]]), **options).basis.metric_version
        for options in ({}, {"pattern": r"\[(\d)\]"}, {"required": False})
    }
    assert len(versions) == 3


def test_sources_as_function(grounded):
    """A function of the case gives its sources."""
    responses = grounded("[1] [2]", found=[{"hits": ["a"]}])

    assert citations_exist(responses, lambda case: case["found"]["hits"]).values == (0.5,)


def test_notes(grounded):
    """A reader of a report sees what was cited and is not there."""
    responses = grounded("[1] [8] [9]", "[1]", "".join(f"[{n}]" for n in range(2, 9)), sources=[["a"]] * 3)

    notes = citations_exist(responses).notes

    assert [note.answer for note in notes] == [
        "(no such source: [8], [9]) [1] [8] [9]",
        "[1]",
        "(no such source: [2], [3], [4], [5], [6], …) [2][3][4][5][6][7][8]",
    ]


def test_trials(grounded):
    """Each trial is scored."""
    assert citations_exist(grounded("[1]", "[2]", sources=[["a"]], trials=2)).by_trial == ((1.0, 0.0),)


@pytest.mark.parametrize("piece", ["[1] ", "[", "[a", "[a-", "]\ud83d"])
def test_a_megabyte(grounded, piece):
    """Long answers take no time."""
    start = time.perf_counter()

    citations_exist(grounded(piece * (1_000_000 // len(piece)), sources=[["a"]]))

    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        (
            ["a"],
            {"pattern": "["},
            r"^citations_exist\(pattern='\['\): unterminated .*; expected a regular expression such",
        ),
        (["a"], {"pattern": "(a)(b)"}, r"^citations_exist\(pattern='\(a\)\(b\)'\): 2 groups; expected one, the name"),
        (["a"], {"pattern": 3}, r"^citations_exist\(pattern=3\): "),
        (["a"], {"sources": "source"}, r"^sources='source': no case has this field; did you mean 'sources'\?"),
        ("one text", {}, r"^case 'c0': its sources are 'one text'; expected a list, or a mapping from name to source$"),
    ],
)
def test_wrong_arguments(grounded, sources, options, message):
    """What cannot be used is shown with what would be right."""
    with pytest.raises(ValueError, match=message):
        citations_exist(grounded("[1]", sources=[sources]), **options)


def test_default_pattern():
    """The documented default."""
    from pytest_llmval.scoring.grounding.citations import CITATION

    assert re.findall(CITATION, "[1] [faq-12] [a b] [] [-x] [é]") == ["1", "faq-12", "é"]


def test_another_source_is_another_metric(grounded):
    """Citations of one field are not compared with those of another, nor of one function with another."""
    responses = grounded("[1]", sources=[["a"]], others=[["a", "b"]])
    kinds = ("sources", "others", lambda case: case["sources"], lambda case: case["others"])

    versions = {citations_exist(responses, sources).basis.metric_version for sources in kinds}

    assert len(versions) == 4


def test_why_an_answer_without_citation_scores_nothing(grounded):
    """The note says so."""
    scores = citations_exist(grounded("It is so.", sources=[["a"]]), "sources")

    assert scores.values == (0.0,)
    assert scores.notes[0].answer == "(no citation) It is so."
