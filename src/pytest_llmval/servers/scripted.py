"""ScriptedServer: answers from a table, for tests of suites and of this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.message import as_text
from pytest_llmval.errors import CapabilityMissing, SettingsError
from pytest_llmval.servers.exchange import Choice, Response, Timing, Usage
from pytest_llmval.servers.perplexity_protocol import WHOLE
from pytest_llmval.servers.server import Capabilities, Location

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from pytest_llmval.case_sets.message import Message
    from pytest_llmval.servers.exchange import DocumentLikelihood, LogLikelihood, Request
    from pytest_llmval.servers.perplexity_protocol import Windows
    from pytest_llmval.servers.server import Finding

ANY = "*"
ANSWERS = frozenset({"text", "texts", "logprobs", "error"})
"""What a line of the file may answer with."""


class ScriptedServer:
    """Gives the answer written down for a prompt.

    An answer is a text, or a mapping with `text`, or with `texts` of which the seed of the request selects one (so that
    trials differ), or with `error` for a request that fails, or with `logprobs` for the options of a choice. The prompt
    `*` stands for all others; without it an unknown prompt fails.
    """

    name = "scripted"
    findings: tuple[Finding, ...] = ()
    capabilities = Capabilities()

    def __init__(self, answers: Mapping[str, str | Mapping[str, Any]]) -> None:
        self.answers = answers
        self.asked = 0
        """Requests answered so far."""

    @classmethod
    def from_file(cls, path: str | Path) -> ScriptedServer:
        """The answers of a JSON Lines file: `{"prompt": …, "text": …}`.

        Raises:
            SettingsError: If a line is not of this form.
        """
        return cls(dict(_entry(line, f"{Path(path).name}:{number}") for number, line in _lines(Path(path))))

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """The scripted answers, in order.

        Raises:
            CapabilityMissing: If logprobs of a text are asked for.
        """
        if any(request.decoding.logprobs is not None for request in requests):
            raise CapabilityMissing(_lacks("logprobs"))
        self.asked += len(requests)
        return [self._answer(request, len(requests)) for request in requests]

    def _answer(self, request: Request, batch: int) -> Response:
        prompt = as_text(request.prompt)
        entry = self.answers.get(prompt, self.answers.get(ANY))
        if entry is None:
            return Response.failed(f"no scripted answer for the prompt {prompt[:60]!r}")
        given = {"text": entry} if isinstance(entry, str) else entry
        if given.get("error"):
            return Response.failed(str(given["error"]))
        if request.choices:
            return _choice(request, given)
        text = _text(request, given)
        usage = Usage(len(prompt.split()), len(text.split()))
        return Response(text=text, usage=usage, timing=Timing(batch=batch))

    def answer_in_pieces(self, requests: Sequence[Request]) -> list[Response]:  # noqa: ARG002 - the protocol has it
        """Not available: a script comes whole."""
        raise CapabilityMissing(_lacks("streaming"))

    def loglikelihood(self, pairs: Sequence[tuple[str, str]], *, unverified: bool = False) -> list[LogLikelihood]:  # noqa: ARG002 - the protocol has it
        """Not available: a script has no probabilities."""
        raise CapabilityMissing(_lacks("loglikelihood"))

    def document_likelihood(self, texts: Sequence[str], windows: Windows = WHOLE) -> list[DocumentLikelihood]:  # noqa: ARG002 - the protocol has it
        """Not available: a script has no probabilities."""
        raise CapabilityMissing(_lacks("loglikelihood"))

    def logits(self, prompt: str) -> np.ndarray:  # noqa: ARG002 - the protocol has it
        """Not available: a script has no logits."""
        raise CapabilityMissing(_lacks("logits"))

    def count_tokens(self, prompt: str | tuple[Message, ...]) -> int:
        """Words: a script has no tokenizer."""
        return len(as_text(prompt).split())

    @property
    def tokenizer(self) -> Any:
        """Not available: a script has no tokenizer."""
        raise CapabilityMissing(_lacks("tokenizer"))

    def location(self) -> Location:
        """Nowhere: a script is a file."""
        return Location()

    def restart(self) -> None:
        """Not available: a script has no process."""
        raise CapabilityMissing(_lacks("restart"))

    def peak_memory(self) -> int | None:
        """Nobody measures a script."""
        return None

    def close(self) -> None:
        """Nothing is held."""


def _text(request: Request, given: Mapping[str, Any]) -> str:
    texts = given.get("texts") or (given.get("text", ""),)
    return str(texts[request.seed % len(texts)])


def _choice(request: Request, given: Mapping[str, Any]) -> Response:
    logprobs = tuple(map(float, given.get("logprobs", ())))
    if len(logprobs) != len(request.choices):
        return Response.failed(f"{len(request.choices)} choices but {len(logprobs)} scripted logprobs")
    choice = Choice(logprobs.index(max(logprobs)), logprobs, tuple(map(len, request.choices)))
    return Response(text=request.choices[choice.index], finish_reason="choice", choice=choice)


def _lacks(capability: str) -> str:
    return f"the scripted server lacks the capability {capability!r}"


def _lines(path: Path) -> list[tuple[int, str]]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _entry(line: str, place: str) -> tuple[str, Mapping[str, Any]]:
    try:
        entry = json.loads(line)
        prompt = str(entry["prompt"])
    except (ValueError, KeyError, TypeError) as error:
        msg = f'{place}: expected {{"prompt": …, "text": …}}, got {line[:60]!r}'
        raise SettingsError(msg) from error
    if not ANSWERS & set(entry):
        msg = f"{place}: no answer to the prompt; expected one of {', '.join(sorted(ANSWERS))}, got {line[:60]!r}"
        raise SettingsError(msg)
    return prompt, entry
