"""`llm.recorded` asks once: what was asked before is answered from the records."""

from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "example_suites" / "models" / "v1"
SUITE = """
QUESTION = [{"role": "user", "content": "How long can I return an item?"}]
OTHER = [{"role": "user", "content": "Do you sell ink?"}]

def test_repeats(llm):
    first, again = (llm.recorded.chat(QUESTION, max_tokens=8) for _ in range(2))
    both = llm.recorded.chat([OTHER, QUESTION], max_tokens=8)
    assert first.text == again.text == both[1].text != both[0].text
    assert first.request.prompt[0].content == QUESTION[0]["content"]

def test_sampled(llm):
    texts = [llm.recorded.chat(QUESTION, max_tokens=8, temperature=1.0, seed=seed).text for seed in (1, 2, 1)]
    assert texts[0] == texts[2]
"""


@pytest.mark.models
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "n2"])
def test_a_repeated_request_is_measured_once(pytester, workers):
    """Two questions and two seeds are four requests, in later runs none; also where nothing may be asked."""
    pytester.makepyfile(test_calls=SUITE)
    command = ("-p", "no:cacheprovider", f"--model-version={MODEL}", *workers)

    first = pytester.runpytest_subprocess(*command)
    later = [pytester.runpytest_subprocess(*command, *more) for more in ((), ("--llmval-offline",))]

    first.assert_outcomes(passed=2)
    first.stdout.fnmatch_lines(["llmval: *: 4 answers measured, 4 cut*"])
    for run in later:
        run.assert_outcomes(passed=2)
        run.stdout.fnmatch_lines(["llmval: *: 0 answers measured, 4 replayed from an earlier run, 4 cut*"])


def test_nothing_recorded_and_offline(shop):
    """The message says which question has no answer."""
    shop.pytester.makepyfile(test_calls='def test_it(llm):\n    llm.recorded.generate("what is 7")')

    result = shop.run("--llmval-offline", "test_calls.py", versions=("new",))

    result.stdout.fnmatch_lines(["*--llmval-offline: new has no recorded answers to <case * of a test: 'what is 7'>*"])


@pytest.mark.servers
def test_a_served_answer_is_shared_within_the_run_only(served):
    """Another run asks anew: a server may have changed behind its name."""
    served.configure()
    served.pytester.makepyfile(
        test_calls="""
        def test_it(llm):
            first, other, again = (llm.recorded.generate(prompt) for prompt in ("one", "two", "one"))
            assert again.text == first.text
        """
    )

    runs = [served.run() for _ in range(2)]

    for run in runs:
        run.assert_outcomes(passed=1)
        run.stdout.fnmatch_lines(["llmval: new: 2 answers measured*"])


def test_a_request_is_answered_as_it_is(shop):
    """`llm.answer` takes prompt, options, decoding and seed together, and the response has them."""
    shop.pytester.makepyfile(
        test_calls="""
        from pytest_llmval import Request

        def test_it(llm):
            request = Request("what is 7", seed=3)
            assert llm.answer(request).text == "it is 7"
            assert llm.answer(request).request == request
        """
    )

    shop.run("test_calls.py", versions=("new",)).assert_outcomes(passed=1)
