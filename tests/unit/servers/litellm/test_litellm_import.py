"""litellm is imported by whoever asks through it, and by nobody else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pytest_llmval.errors import ServerError
from pytest_llmval.servers.remote.litellm_library import library
from pytest_llmval.settings import ModelSettings

pytestmark = pytest.mark.servers

WITHOUT = """
import sys
import pytest_llmval.plugin
import pytest_llmval.servers.remote.openai, pytest_llmval.servers.remote.opening
from pytest_llmval.servers.remote.litellm_sender import LitellmSender
from pytest_llmval.settings import ModelSettings
LitellmSender(ModelSettings(name="v", server="litellm", model="openai/tiny"))
print([name for name in ("litellm", "openai") if name in sys.modules])
"""


def test_other_servers_do_without(tmp_path):
    """Also a sender that was not opened."""
    found = subprocess.run([sys.executable, "-c", WITHOUT], check=True, capture_output=True, text=True, cwd=tmp_path)

    assert found.stdout == "[]\n"


ALONE = """
import json, os, sys
from pytest_llmval.servers.remote.litellm_sender import LitellmSender
from pytest_llmval.servers.remote.payloads import Post
from pytest_llmval.servers.remote.sending import Watch
from pytest_llmval.settings import ModelSettings

sender = LitellmSender(ModelSettings(name="v", server="litellm", model="openai/tiny", url=sys.argv[1]))
sender.open()
before = set(sys.modules)
message = {"role": "user", "content": "hello"}
post = Post("chat/completions", {"model": "openai/tiny", "messages": [message], "max_tokens": 2})
for streams in (True, False):
    sender.send(post, Watch(10), streams=streams)
sender.close()
print(json.dumps({"key": os.environ.get("SOME_KEY"), "loaded": len(set(sys.modules) - before)}))
"""


@pytest.fixture
def alone(tmp_path, served):
    """What was seen in a process that asked through litellm and did nothing else, beside a file `.env`."""
    tmp_path.joinpath(".env").write_text("SOME_KEY=from-the-file\n", encoding="utf-8")
    command = [sys.executable, "-c", ALONE, served.url]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    return json.loads(found.stdout) | {"stderr": found.stderr}


def test_one_that_is_open_is_ready(alone):
    """No answer waits for litellm to load 500 modules; the environment of tests stays as it is; nothing is printed.

    By itself litellm would read the file `.env` into the environment.
    """
    assert alone["loaded"] < 10
    assert alone["key"] is None
    assert alone["stderr"] == ""


def test_a_missing_library_names_the_command(monkeypatch):
    """And the version that needs it."""
    monkeypatch.setitem(sys.modules, "litellm", None)

    with pytest.raises(ServerError) as caught:
        library(ModelSettings(name="hosted"))

    assert str(caught.value) == "version 'hosted' needs litellm: pip install pytest-llmval[litellm]"
