"""A recorded baseline read back is what was written, and is found again by how it was asked."""

import dataclasses
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.case_sets.loading import cases
from pytest_llmval.errors import SettingsError, StoreError
from pytest_llmval.records.baseline import (
    Answer,
    AnsweredSet,
    Origin,
    asked_hash,
    origin_text,
    read_answers,
    read_baseline,
    write_baseline,
)
from pytest_llmval.records.blessing import answered_sets
from pytest_llmval.records.recalling import Recollection
from pytest_llmval.records.response_set import Conditions, conditions_of
from pytest_llmval.records.store import LlmvalStoreWarning, LocalStore
from pytest_llmval.servers.exchange import Choice, Message, Response, Timing, TokenLogprob, Usage
from pytest_llmval.settings import ModelSettings

ORIGIN = Origin(
    name="v1-oct",
    run_id="r1",
    version="v1",
    parts={"weights": "ab" * 32, "libraries": {"torch": "2.13.0", "peft": None}, "threads": 1},
    seed=3,
    libraries={"numpy": "2.4.6", "torch": None},
    blessed_at="2026-10-31T12:00:00.000+00:00",
)
CONDITIONS = Conditions("faq@12345678", "3f2a9c1d04be", "max_tokens=64, temperature=0", "blocks of 32")
TEXT = st.text(st.characters(codec=None), max_size=20)  # lone surrogates and line separators included
LOGPROB = st.floats(max_value=0, allow_nan=False)
TOKENS = st.builds(
    TokenLogprob,
    st.integers(0, 9),
    TEXT,
    LOGPROB,
    st.lists(st.tuples(st.integers(0, 9), LOGPROB), max_size=2).map(tuple),
)
ANSWERS = st.builds(
    Answer,
    TEXT,
    st.integers(0, 9),
    st.just("0" * 16),
    st.builds(
        Response,
        text=TEXT,
        token_ids=st.lists(st.integers(0, 2**20), max_size=3).map(tuple),
        logprobs=st.none() | st.lists(TOKENS, max_size=2).map(tuple),
        finish_reason=st.sampled_from(["stop", "length", "choice"]),
        usage=st.builds(Usage, st.integers(0), st.integers(0)),
        choice=st.none() | st.builds(Choice, st.just(0), st.tuples(LOGPROB, LOGPROB), st.just((1, 2))),
    ),
)


def faq(*ids, name="faq", prompt="{q}", **fields):
    """A case set of questions named by their ids."""
    rows = [{"id": each, "q": f"what is {each}"} | fields.get(each, {}) for each in ids]
    return cases(rows, prompt=prompt, name=name)


def conditions(case_set):
    """How it is asked by default."""
    return conditions_of(case_set, "blocks of 32")


def answered(case_set, trials=1, leave_out=()):
    """Answers that name case and trial."""
    answers = [
        Answer(case.id, trial, asked_hash(case.prompt, case.choices), Response(text=f"{case.id}{trial}"))
        for case in case_set
        for trial in range(trials)
        if case.id not in leave_out
    ]
    return AnsweredSet(conditions(case_set), len(case_set), tuple(answers), tuple(leave_out))


@pytest.fixture
def recollection(tmp_path):
    """The function that records answers and reads them as a run does."""

    def make(*sets):
        write_baseline(tmp_path / "b", ORIGIN, sets)
        return Recollection(tmp_path / "b")

    return make


def texts(recalled, trials=1):
    """Case and texts of each response."""
    return {
        each.case.id: [trial.text for trial in each.trials] for each in recalled.responses(trials) if not each.error
    }


@given(st.lists(ANSWERS, max_size=4).map(tuple))
@settings(deadline=None, max_examples=60)
def test_any_answer_survives(tmp_path_factory, answers):
    """Lone surrogates, line separators, infinite logprobs and empty tuples included."""
    folder = tmp_path_factory.mktemp("baselines") / "b"
    write_baseline(folder, ORIGIN, [AnsweredSet(CONDITIONS, 9, answers, ("x", "y"))])

    baseline = read_baseline(folder)

    assert baseline.origin == ORIGIN
    (file,) = baseline.files
    assert (file.conditions, file.cases, file.answers, file.left_out) == (CONDITIONS, 9, len(answers), ("x", "y"))
    assert read_answers(folder, file) == answers


def test_what_differs_between_two_measurements_is_not_kept(tmp_path):
    """Times, batches and the case itself are no part of an answer: the bytes are the same."""
    slow = Response(text="a", timing=Timing("2026-10-31T12:00:00", 9.0, 7), replayed=True)
    for name, response in (("one", Response(text="a")), ("two", slow)):
        write_baseline(tmp_path / name, ORIGIN, [AnsweredSet(CONDITIONS, 1, (Answer("q", 0, "0", response),))])

    first, second = (next((tmp_path / name).glob("*.jsonl")) for name in ("one", "two"))

    assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())


@pytest.mark.parametrize(
    ("dataset", "prompt", "name"),
    [
        ("faq@12345678", "3f2a9c1d04be", r"faq-[0-9a-f]{8}\.jsonl"),
        ("faq@12345678", "short 3f2a9c1d04be", r"faq-short-[0-9a-f]{8}\.jsonl"),
        ("../my faq/Ü@1", "a/b 3f2a9c1d04be", r"my-faq-Ü-a-b-[0-9a-f]{8}\.jsonl"),
        ("@1", "3f", r"cases-[0-9a-f]{8}\.jsonl"),
    ],
)
def test_a_file_is_named_for_its_data_set_and_prompt(dataset, prompt, name):
    """Readable, a plain name, and another one for other conditions."""
    given_ = AnsweredSet(dataclasses.replace(CONDITIONS, dataset=dataset, prompt=prompt), 0, ())
    other = AnsweredSet(dataclasses.replace(given_.conditions, decoding="max_tokens=9, temperature=0"), 0, ())

    assert re.fullmatch(name, given_.file)
    assert other.file != given_.file


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    """Whole or not at all: what was recorded stays, and nothing half written is left."""
    write_baseline(tmp_path / "b", ORIGIN, [AnsweredSet(CONDITIONS, 1, ())])
    before = (tmp_path / "b" / "manifest.json").read_bytes()

    with pytest.raises(SettingsError, match=rf"^cannot write the baseline {tmp_path}/b: "):
        write_baseline(tmp_path / "b", dataclasses.replace(ORIGIN, seed=4), [AnsweredSet(CONDITIONS, 1, ())])

    assert (tmp_path / "b" / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize(
    "edit", [lambda line: line.replace(b"a0", b"b0"), lambda line: line * 2, lambda line: b"\xff" + line]
)
def test_a_changed_file_is_noticed(recollection, tmp_path, edit):
    """The manifest knows the hash of each file; the message says how to get it back."""
    made = recollection(answered(faq("a")))
    (path,) = (tmp_path / "b").glob("*.jsonl")
    path.write_bytes(edit(path.read_bytes()))

    with pytest.raises(StoreError, match=r"restore the file from version control"):
        made.recall(faq("a"), conditions(faq("a")))


def test_a_missing_file_is_named(recollection, tmp_path):
    """Perhaps it was not committed."""
    made = recollection(answered(faq("a")))
    (path,) = (tmp_path / "b").glob("*.jsonl")
    path.unlink()

    with pytest.raises(StoreError, match=rf"^{path}: recorded answers cannot be read: .*restore"):
        made.recall(faq("a"), conditions(faq("a")))


def test_other_line_ends_are_no_change(recollection, tmp_path):
    """Version control may write them on another system."""
    made = recollection(answered(faq("a", "b")))
    (path,) = (tmp_path / "b").glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert texts(made.recall(faq("a", "b"), conditions(faq("a", "b")))) == {"a": ["a0"], "b": ["b0"]}


def test_where_answers_come_from(tmp_path):
    """Said for a recorded baseline only."""
    write_baseline(tmp_path / "b", ORIGIN, [])

    assert origin_text(ModelSettings("b", server="recorded", model=str(tmp_path / "b"))) == (
        "recorded 2026-10-31 from run r1"
    )
    assert origin_text(ModelSettings("b", model=str(tmp_path / "b"))) == ""
    assert origin_text(None) == ""


@given(TEXT, st.lists(TEXT, max_size=3))
@settings(max_examples=50)
def test_what_was_asked_is_told_apart(prompt, choices):
    """By prompt, by options, and by whether it was a text or a conversation."""
    asked = asked_hash(prompt, choices)

    assert asked == asked_hash(prompt, tuple(choices))
    assert len({asked, asked_hash(prompt + " ", choices), asked_hash(prompt, [*choices, "x"])}) == 3
    assert asked != asked_hash((Message("user", prompt),), choices)


@pytest.mark.parametrize(("asked", "used"), [(1, ["a0"]), (2, ["a0", "a1"]), (5, ["a0", "a1", "a2"])])
def test_as_many_trials_as_asked_and_recorded(recollection, asked, used):
    """The first ones; the response is the first trial, with its case."""
    recalled = recollection(answered(faq("a"), trials=3)).recall(faq("a"), conditions(faq("a")))

    (response,) = recalled.responses(asked)

    assert [trial.text for trial in response.trials] == used
    assert response.text == "a0"
    assert response.replayed
    assert response.case.id == response.trials[-1].case.id == "a"


def test_what_the_record_lacks_is_not_there(recollection):
    """A new case, one that failed then, and one whose question is another now."""
    then, now = faq("a", "b", "c"), faq("a", "b", "c", "d", c={"q": "what is it"})

    recalled = recollection(answered(then, leave_out=["b"])).recall(now, conditions(now))

    assert texts(recalled) == {"a": ["a0"]}
    assert recalled.conditions == conditions(then)


def test_a_case_that_is_gone_has_a_response_without_an_answer(recollection):
    """So that it is counted, although nothing can score it."""
    recalled = recollection(answered(faq("a", "b"))).recall(faq("b"), conditions(faq("b")))

    kept, gone = recalled.responses(1)

    assert (kept.case.id, kept.error) == ("b", None)
    assert (gone.case.id, gone.error) == ("a", "the case set no longer has this case")


def test_another_wording_has_the_answers_of_the_same_cases(recollection):
    """With another template every question differs: the gate refuses, unless the prompt may vary."""
    then, now = faq("a"), faq("a", prompt="Tell me: {q}")

    recalled = recollection(answered(then)).recall(now, conditions(now))

    assert texts(recalled) == {"a": ["a0"]}
    (told,) = recalled.obstacles(conditions(now), ())
    assert told == (f"prompt differs: {then.prompt_label} -> {now.prompt_label}; --llmval-vary prompt allows it")
    assert recalled.obstacles(conditions(now), ("prompt",)) == []


def test_the_same_conditions_go_first(recollection):
    """Two wordings of one data set, each with its own answers."""
    sets = [faq("a", prompt=prompt) for prompt in ("{q}", "{q} ", "{q}!")]
    made = recollection(*(dataclasses.replace(answered(each), left_out=(str(n),)) for n, each in enumerate(sets)))

    for each in sets:
        assert made.recall(each, conditions(each)).conditions == conditions(each)


def test_the_nearest_of_changed_sets_is_compared(recollection):
    """Two parts of one data set, both edited since: each is held against its own earlier self."""
    easy, hard = faq("a", "b"), faq("c", "d", "e")
    made = recollection(answered(easy), answered(hard))

    for then, ids in ((easy, "ab"), (hard, "cde")):
        now = faq(*ids, "new")
        assert made.recall(now, conditions(now)).conditions == conditions(then)


def test_the_wording_decides_between_sets_of_the_same_cases(recollection):
    """A changed data set that is asked in two ways."""
    wordings = ("{q}", "{q}!")
    made = recollection(*(answered(faq("a", "b", prompt=each)) for each in wordings))

    for each in wordings:
        now = faq("a", "b", "c", prompt=each)
        assert made.recall(now, conditions(now)).conditions.prompt == now.prompt_label


def test_a_data_set_of_another_name_is_another_data_set(recollection):
    """Ids like 1, 2, 3 occur everywhere."""
    recalled = recollection(answered(faq("1"))).recall(faq("1", name="quiz"), conditions(faq("1", name="quiz")))

    assert recalled.responses(1) == ()
    assert recalled.conditions.dataset == f"(none recorded; there are {faq('1').label})"


def run_with(tmp_path, make_record, blocks, cases=2):
    """A store with one run whose case set stands in these blocks; None is a block that was not asked."""
    store = LocalStore(tmp_path / "store")
    for name, records in blocks.items():
        if records is not None:
            store.write_block("r1", name, [make_record(**each) for each in records])
    entry = {"version": "v1", "conditions": dataclasses.asdict(CONDITIONS), "cases": cases, "blocks": list(blocks)}
    store.write_manifest("r1", {"run_id": "r1", "block": 2, "case_sets": [entry, entry | {"version": "v2"}]})
    return store


def test_the_answers_of_a_run_in_the_order_of_the_case_set(tmp_path, make_record):
    """By case, then by trial, whatever the blocks are called; a block that was not asked is left out."""
    blocks = {
        "z": [{"case_id": "b", "trial": 0}, {"case_id": "a", "trial": 0}],
        "m": None,
        "a": [{"case_id": "b", "trial": 1}, {"case_id": "a", "trial": 1}],
    }

    (found,) = answered_sets(run_with(tmp_path, make_record, blocks, cases=4), "r1", "v1")

    assert [(answer.case_id, answer.trial) for answer in found.answers] == [("b", 0), ("b", 1), ("a", 0), ("a", 1)]
    assert (found.conditions, found.cases, found.left_out) == (CONDITIONS, 4, ())


def test_a_case_with_a_failed_trial_is_left_out_whole(tmp_path, make_record):
    """As it would be left out of a comparison: its other trials are no fair sample."""
    blocks = {
        "t0": [{"case_id": "a", "trial": 0}, {"case_id": "b", "trial": 0}],
        "t1": [{"case_id": "a", "trial": 1, "response": Response.failed("no")}, {"case_id": "b", "trial": 1}],
    }

    (found,) = answered_sets(run_with(tmp_path, make_record, blocks), "r1", "v1")

    assert {answer.case_id for answer in found.answers} == {"b"}
    assert found.left_out == ("a",)


def test_overlapping_plans_of_one_case_set_are_joined(tmp_path, make_record):
    """The same cases asked once in one test and twice in another: each answer once."""
    store = run_with(tmp_path, make_record, {"t0": [{"trial": 0}], "t1": [{"trial": 1}]})
    manifest = store.read_manifest("r1")
    manifest["case_sets"].append(manifest["case_sets"][0] | {"blocks": ["t0"]})
    store.write_manifest("r1", manifest)

    (found,) = answered_sets(store, "r1", "v1")

    assert [answer.trial for answer in found.answers] == [0, 1]


def test_the_order_in_which_trials_were_asked_does_not_matter(tmp_path, make_record):
    """Workers reach the trials of a repeated test in any order, and not all of them for each case."""
    blocks = {
        "t1b": [{"case_id": "c", "trial": 1}],
        "t0a": [{"case_id": "b", "trial": 0}, {"case_id": "a", "trial": 0}],
        "t0b": [{"case_id": "c", "trial": 0}],
    }
    store = run_with(tmp_path, make_record, blocks, cases=3)
    manifest = store.read_manifest("r1")
    entry = manifest["case_sets"][0]
    late, early = (entry | {"blocks": each} for each in (["t1a", "t1b"], ["t0a", "t0b"]))
    store.write_manifest("r1", manifest | {"case_sets": [late, early]})

    (found,) = answered_sets(store, "r1", "v1")

    assert [(answer.case_id, answer.trial) for answer in found.answers] == [("b", 0), ("a", 0), ("c", 0), ("c", 1)]


def test_a_version_without_answers_names_the_others(tmp_path, make_record):
    """They are those of the run."""
    store = run_with(tmp_path, make_record, {"t0": [{"trial": 0}]})

    with pytest.raises(StoreError) as caught:
        answered_sets(store, "r1", "v3")

    assert str(caught.value) == "run r1 has no answers of version 'v3' to a case set; it has those of 'v1', 'v2'"


def test_runs_from_the_oldest_to_the_latest(tmp_path):
    """By when they started: ids made in one second do not tell."""
    store = LocalStore(tmp_path)
    for run_id, started in (("r3", "2026-01-01"), ("r1", "2026-01-03"), ("r2", "2026-01-02")):
        store.write_manifest(run_id, {"started_at": started})

    assert store.runs() == ["r3", "r2", "r1"]
    assert LocalStore(tmp_path / "none").runs() == []


def test_the_verdicts_of_a_run(tmp_path):
    """In their order; a torn line is reported, and a run without gates has none."""
    store = LocalStore(tmp_path)
    entries = [{"test": "t", "metric": name, "evidence": {"gate": 1}} for name in ("a", "b")]
    for entry in entries:
        store.append("r1", "verdicts.jsonl", entry)
    with (store.run_folder("r1") / "verdicts.jsonl").open("a") as stream:
        stream.write(json.dumps(entries[0])[:-9] + "\n")

    with pytest.warns(LlmvalStoreWarning, match=r"^verdicts\.jsonl:3: not a whole record"):
        assert list(store.verdicts("r1")) == entries
    assert list(store.verdicts("r2")) == []


def test_the_fingerprint_is_that_of_the_model(tmp_path):
    """Read back, the parts have the digest they had."""
    write_baseline(tmp_path / "b", ORIGIN, [])

    assert read_baseline(tmp_path / "b").origin.fingerprint.digest == content_hash(dict(ORIGIN.parts))
