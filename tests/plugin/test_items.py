"""Decorated tests become items."""


def test_each_gives_one_item_a_case_with_its_id(shop, distribution):
    """`case_set.each` makes one item a case, named by the case's own id, and `.all` one for the set."""
    result = shop.run("-v", *distribution)

    result.assert_outcomes(passed=61)
    result.stdout.fnmatch_lines_random(["*test_qa.py::test_each[[]q7[]]*", "*test_qa.py::test_gate*"])


def test_fixtures_work_without_case_in_the_signature(shop, distribution):
    """`response` alone is enough."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import cases
        qa = cases("qa.jsonl", prompt="{question}")

        @qa.each
        def test_answer(response):
            assert response.text == f"it is {response.case.id[1:]}"
        """
    )

    shop.run(*distribution).assert_outcomes(passed=60)


def test_each_works_on_methods_and_with_parametrize(shop):
    """Cases multiply with the parameters of a test, also in a class."""
    shop.pytester.makepyfile(
        test_qa="""
        import pytest
        from pytest_llmval import cases
        qa = cases("qa.jsonl", prompt="{question}", where=lambda row: row["id"] in ("q1", "q2"))

        class TestAnswers:
            @pytest.mark.parametrize("word", ["it", "is"])
            @qa.each
            def test_word(self, word, case, response):
                assert word in response.text
        """
    )

    shop.run().assert_outcomes(passed=4)


def test_a_fixture_that_hides_ours_is_refused(shop):
    """A user's own `response` fixture would be judged instead of the model: collection says so."""
    shop.pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef response():\n    return 'mine'")

    result = shop.run()

    assert result.ret == 2
    result.stdout.fnmatch_lines(["*test_each is decorated with qa.each, but conftest defines a fixture 'response'*"])


def test_a_fixture_outside_a_decorated_test_says_what_it_needs(shop):
    """`responses` in an undecorated test explains itself."""
    shop.pytester.makepyfile(test_qa="def test_lost(responses):\n    pass")

    result = shop.run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the fixture 'responses' needs a test decorated with @<case set>.all*"])


def test_two_case_sets_on_one_test_are_refused(shop):
    """A test takes one case set."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import cases
        qa = cases("qa.jsonl", prompt="{question}")

        @qa.all
        @qa.each
        def test_both(responses):
            pass
        """
    )

    result = shop.run()

    assert result.ret == 2
    result.stdout.fnmatch_lines(["*test_both: decorated with two case sets; a test takes one, by .each or .all"])


def test_responses_carry_their_cases_and_trials(shop, distribution):
    """`len(responses)` is the number of cases, whatever the number of trials."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import cases
        qa = cases("qa.jsonl", prompt="{question}", trials=3)

        @qa.all
        def test_shape(responses):
            assert len(responses) == 60
            assert [response.case.id for response in responses] == [f"q{i}" for i in range(60)]
            assert {len(response.trials) for response in responses} == {3}

        @qa.each
        def test_trials(case, response):
            assert [trial.case for trial in response.trials] == [case] * 3
        """
    )

    shop.run(*distribution).assert_outcomes(passed=61)


def test_logprobs_of_a_server_that_has_none(shop, distribution):
    """Asked for logprobs, it would answer without: the test is skipped with the capability's name."""
    shop.pytester.makepyfile(
        test_qa="""
        from pytest_llmval import cases

        qa = cases("qa.jsonl", prompt="{question}", logprobs=2)

        @qa.all
        def test_all(responses):
            assert False

        def test_call(llm):
            llm.generate("what is 1", logprobs=1)
        """
    )

    result = shop.run(*distribution, "-rs")

    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*the scripted server lacks the capability 'logprobs'"] * 2)
