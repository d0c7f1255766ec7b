"""The server contract finds what is wrong with a real server: that of transformers, over an example model."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

pytest.importorskip("uvicorn", reason="transformers serve needs `pip install transformers[serving]`")

QUIET = (
    "-p",
    "no:cacheprovider",
    "-p",
    "no:hypothesispytest",
    "-rs",
    "--pyargs",
    "pytest_llmval.contracts.test_server",
)
START_SECONDS = 120


def free_port():
    """A port that nobody has now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def is_healthy(port):
    """Whether the model is loaded."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A function from a model folder to the URL where `transformers serve` serves it; none of it is left afterwards."""
    started = []

    def serve(folder):
        port, home = free_port(), tmp_path_factory.mktemp("hub")
        command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder)]
        place = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
        env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
        with (home / "log").open("w") as log:
            process = subprocess.Popen([*command, *place], env=env, stdout=log, stderr=log, start_new_session=True)
        started.append(process)
        deadline = time.monotonic() + START_SECONDS
        while not is_healthy(port):
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline, (home / "log").read_text()
            time.sleep(0.2)
        return f"http://127.0.0.1:{port}/v1"

    yield serve
    for process in started:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)


@pytest.fixture
def held(pytester, served):
    """A function that serves a folder and holds the server to the contract, or to a part of it."""

    def hold(folder, *args, reference=None):
        lines = ["[models.served]", 'server = "openai"', f'url = "{served(folder)}"']
        lines += [f'model = "{folder}"', f'reference = "{reference or folder}"']
        pytester.makefile(".toml", llmval="\n".join(lines))
        return pytester.runpytest_inprocess(*QUIET, *args, "--model-version=served")

    return hold


def test_what_it_gets_wrong_is_found_and_the_rest_passes(held, models):
    """Version 5.23 ignores logprobs, echo, temperature with seed, and the context, and keeps stop strings.

    Streaming, company, usage, chat template and greedy answers are sound.
    """
    result = held(models / "v1")

    result.assert_outcomes(passed=5, failed=5)
    result.stdout.fnmatch_lines_random(
        [
            "E*ModelRegression: server, stop strings: * not as expected",
            "E*: it ends at the stop string, but has it in it",
            "E*ModelRegression: server, seed: 3 of 3 not as expected",
            "E*each time, the greedy text: a temperature that does nothing, and so does the seed",
            "E*ModelRegression: server, context length: 2 of 4 not as expected",
            "E*asked a prompt of 576 words, at least as many tokens",
            "E*an answer, '*', after reading * tokens",
            "E*expected: an error of status 400, since the context has 512 tokens",
            "E*ModelRegression: server, logprobs: 1 of 1 not as expected",
            "E*came back: asked for logprobs (completions), none came back",
            "E*ModelRegression: server, prompt log-likelihood: * not as expected",
            "E*asked for the logprobs of the prompt, none came back",
        ]
    )


def test_a_folder_whose_config_samples_makes_the_seed_sound(held, copied):
    """The server leaves it to `do_sample` of the folder whether a temperature does anything."""
    folder = copied("v1")
    path = folder / "generation_config.json"
    path.write_text(path.read_text().replace('"do_sample": false', '"do_sample": true'))

    result = held(folder, "-k", "seed")

    result.assert_outcomes(passed=1, deselected=9)


def test_a_template_that_is_applied_twice_is_found(held, copied, models):
    """What the server renders is rendered once more, as when a client sends a conversation that is text already."""
    folder = copied("v1")
    path = folder / "chat_template.jinja"
    once = path.read_text(encoding="utf-8")
    path.write_text("{{ bos_token + '<|user|>' }}" + once + "{{ '<|assistant|>' }}", encoding="utf-8")

    result = held(folder, "-k", "template", reference=models / "v1")

    result.assert_outcomes(failed=1, deselected=9)
    result.stdout.fnmatch_lines(["E*ModelRegression: server, chat template: *", "E*twice*"])
