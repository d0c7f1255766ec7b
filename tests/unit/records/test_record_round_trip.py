"""A record read back is the record."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.case_sets.case import Case, content_hash
from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.records.files import json_line
from pytest_llmval.records.record import Record, from_json, record_key, to_json
from pytest_llmval.servers.exchange import Choice, Message, Request, Response, Timing, TokenLogprob, Usage

TEXT = st.text(st.characters(codec=None), max_size=20)  # lone surrogates and line separators included
LOGPROB = st.floats(max_value=0, allow_nan=False)
RESPONSES = st.builds(
    Response,
    text=TEXT,
    token_ids=st.lists(st.integers(0, 2**20), max_size=3).map(tuple),
    logprobs=st.none()
    | st.lists(
        st.builds(
            TokenLogprob,
            st.integers(0, 9),
            TEXT,
            LOGPROB,
            st.lists(st.tuples(st.integers(0, 9), LOGPROB), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    finish_reason=st.sampled_from(["stop", "length", "choice", "error"]),
    usage=st.builds(Usage, st.integers(0), st.integers(0)),
    timing=st.builds(Timing, TEXT, st.floats(0, 100), st.integers(1, 9)),
    error=st.none() | TEXT,
    choice=st.none() | st.builds(Choice, st.just(0), st.tuples(LOGPROB, LOGPROB), st.just((1, 2))),
    samples=st.lists(TEXT, max_size=2).map(tuple),
)
REQUESTS = st.builds(
    Request,
    TEXT | st.lists(st.builds(Message, TEXT, TEXT), min_size=1, max_size=2).map(tuple),
    st.lists(TEXT, max_size=2).map(tuple),
    st.builds(
        Decoding,
        max_tokens=st.integers(1, 99),
        temperature=st.floats(0, 2),
        stop=st.lists(TEXT.filter(bool), max_size=2).map(tuple),
        logprobs=st.none() | st.integers(0, 5),
    ),
    st.integers(0, 2**32),
)
RECORDS = st.builds(
    Record,
    *(TEXT, TEXT, TEXT, TEXT, TEXT),
    trial=st.integers(0, 9),
    request=REQUESTS,
    response=RESPONSES,
    recorded_at=TEXT,
    run_id=TEXT,
    test=TEXT,
    replayed_from=st.none() | TEXT,
).map(
    # What stands for an earlier measurement says so itself.
    lambda record: dataclasses.replace(
        record, response=dataclasses.replace(record.response, replayed=record.replayed_from is not None)
    )
)


@given(RECORDS)
@settings(deadline=None, max_examples=60)
def test_any_record_survives_a_line_of_json(record):
    """Lone surrogates, line separators, infinite logprobs and empty tuples included."""
    line = json_line(to_json(record))

    assert "\n" not in line
    assert from_json(json.loads(line.encode().decode())) == record


def test_no_field_is_forgotten(make_record):
    """The example has no default in any field, so that a new field is noticed here."""
    record = make_record()
    defaulted = [
        (type(part).__name__, field.name)
        for part in (record, record.request, record.request.decoding, record.response)
        for field in dataclasses.fields(part)
        if field.default is not dataclasses.MISSING and getattr(part, field.name) == field.default
    ]

    assert defaulted == [
        ("Record", "schema"),
        ("Response", "error"),  # an answer or an error
        ("Response", "case"),
        ("Response", "trials"),
        ("Response", "request"),
    ]
    assert from_json(json.loads(json.dumps(to_json(record)))) == record


def test_the_case_stays_in_the_dataset(make_record):
    """A record repeats neither case nor other trials; whether this run measured it follows from `replayed_from`."""
    record = make_record()
    response = record.response.with_case(Case("a", {}, "x"), (record.response,))
    attached = dataclasses.replace(record, response=dataclasses.replace(response, replayed=True))

    data = to_json(attached)

    assert data == to_json(record)
    assert not {"case", "trials", "replayed"} & set(data["response"])


def test_a_record_of_another_schema(make_record):
    """It is not read as if it were ours."""
    data = to_json(make_record()) | {"schema": 2}

    with pytest.raises(ValueError, match=r"^schema 2; this version reads 1$"):
        from_json(data)


@pytest.mark.parametrize(
    "changed",
    [
        {"fingerprint": "other"},
        {"case_id": "b"},
        {"trial": 1},
        {"request": Request("Q", seed=1)},
        {"request": Request("Q ")},
        {"request": Request("Q", decoding=Decoding(max_tokens=65))},
        {"request": Request("Q", choices=("a", "b"))},
        {"request": Request((Message("user", "Q"),))},
    ],
)
def test_the_key_covers_model_request_case_and_trial(changed):
    """A response stands only for the same question to the same model."""
    given_ = {"fingerprint": "f", "request": Request("Q"), "case_id": "a", "trial": 0}

    assert record_key(**given_ | changed) != record_key(**given_)
    assert record_key(**given_) == record_key(**given_)


@pytest.mark.parametrize("prompt", ["what is 7", (Message("system", "be brief"), Message("user", "what is 7"))])
def test_the_key_is_over_all_fields_of_the_request(prompt):
    """It is the hash of the request as `dataclasses.asdict` gives it, so that recorded answers stay found."""
    request = Request(prompt, ("a", "b"), Decoding(max_tokens=3, temperature=0.5, stop=("x",), logprobs=2), seed=5)

    fields = dataclasses.asdict(request)
    without_schema = fields["decoding"]
    assert without_schema.pop("json_schema") is None  # younger than the records that are to stay found
    assert record_key("f", request, "q7", 1) == content_hash(["f", fields, "q7", 1])
