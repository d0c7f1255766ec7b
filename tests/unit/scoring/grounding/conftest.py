"""Answers with the context they were to be given from."""

import pytest

from pytest_llmval.case_sets.loading import cases
from pytest_llmval.records.response_set import ResponseSet, conditions_of
from pytest_llmval.servers.exchange import Response


@pytest.fixture(scope="session")
def grounded():
    """A function from answers, and a column of each field of their cases, to a response set."""

    def make(*answers, trials=1, **columns):
        rows = [
            {"id": f"c{n}", "question": f"Q{n}", **{name: column[n] for name, column in columns.items()}}
            for n in range(len(answers) // trials)
        ]
        case_set = cases(rows, prompt="{question}", name="faq", temperature=0.7)
        given = [Response(text=each) if isinstance(each, str) else each for each in answers]
        responses = []
        for n, case in enumerate(case_set):
            own = tuple(each.with_case(case, ()) for each in given[n * trials : (n + 1) * trials])
            responses.append(own[0].with_case(case, own))
        return ResponseSet(case_set, tuple(responses), "v1", conditions_of(case_set, "blocks of 32"))

    return make
