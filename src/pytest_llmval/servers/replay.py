"""ReplayServer: answers that were given before, in production for example, judged as if they were given now."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_llmval.case_sets.message import as_text, messages_from
from pytest_llmval.errors import CapabilityMissing, SettingsError
from pytest_llmval.servers.exchange import Response, Timing, Usage
from pytest_llmval.servers.perplexity_protocol import WHOLE
from pytest_llmval.servers.reference import count_roughly
from pytest_llmval.servers.server import Capabilities, Finding, Location
from pytest_llmval.servers.wire import prompt_from_json, response_from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pytest_llmval.case_sets.message import Message
    from pytest_llmval.servers.exchange import DocumentLikelihood, LogLikelihood, Request
    from pytest_llmval.servers.perplexity_protocol import Windows

    Prompt = str | tuple[Message, ...]

PROMPTS = ("messages", "prompt", "input")
"""Under which names a line may have what was asked, the first that is there."""
ANSWERS = ("response", "text", "output", "completion", "answer")
"""Under which names it may have what was answered."""
SHAPE = '{"prompt" or "messages": …, "response": …}'


class ReplayServer:
    """Gives the answers of a log, each once: a second trial of a case needs a second answer.

    A line holds a prompt or messages and the response as text; it may hold `usage`, `finish_reason`, `seconds`, `cost`
    and `error`. Lines of a run's own records are read as well.
    """

    name = "replay"
    capabilities = Capabilities(stop=False)
    findings: tuple[Finding, ...] = ()

    def __init__(self, answers: Sequence[tuple[Prompt, Response]]) -> None:
        self._answers: dict[Prompt, list[Response]] = defaultdict(list)
        for prompt, response in answers:
            self._answers[prompt].append(response)
        self._given: dict[Prompt, dict[int, int]] = defaultdict(dict)
        """For each prompt the place of the answer that each seed got."""
        self._choosing = Lock()

    @classmethod
    def from_file(cls, path: str | Path) -> ReplayServer:
        """The answers of a JSON Lines file.

        Raises:
            SettingsError: If a line holds no prompt or no answer; the message names it.
        """
        lines = _read(Path(path)).split("\n")
        numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
        return cls([_entry(line, f"{Path(path).name}:{number}") for number, line in numbered])

    def answer(self, requests: Sequence[Request]) -> list[Response]:
        """The answers of the log, in order; a prompt that it does not have fails.

        Raises:
            CapabilityMissing: If options of a choice or logprobs are asked for.
        """
        if any(request.choices for request in requests):
            self._lack("loglikelihood")
        if any(request.decoding.logprobs is not None for request in requests):
            self._lack("logprobs")
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Response:
        known = self._answers.get(_plain(request.prompt), [])
        with self._choosing:
            given = self._given[_plain(request.prompt)]
            place = given.setdefault(request.seed, len(given))
        if place < len(known):
            return known[place]
        return replace(Response.failed(_missing(request.prompt, len(known))), replayed=True)

    def answer_in_pieces(self, requests: Sequence[Request]) -> list[Response]:  # noqa: ARG002 - the protocol has it
        """Not available: what was answered is there as a whole."""
        self._lack("streaming")

    def loglikelihood(self, pairs: Sequence[tuple[str, str]], *, unverified: bool = False) -> list[LogLikelihood]:  # noqa: ARG002 - the protocol has it
        """Not available: a log has no probabilities."""
        self._lack("loglikelihood")

    def document_likelihood(self, texts: Sequence[str], windows: Windows = WHOLE) -> list[DocumentLikelihood]:  # noqa: ARG002 - the protocol has it
        """Not available: a log has no probabilities."""
        self._lack("loglikelihood")

    def logits(self, prompt: str) -> np.ndarray:  # noqa: ARG002 - the protocol has it
        """Not available: a log has no logits."""
        self._lack("logits")

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of a prompt, about."""
        return count_roughly(as_text(prompt))

    @property
    def tokenizer(self) -> Any:
        """Not available: a log has no tokenizer."""
        self._lack("tokenizer")

    def location(self) -> Location:
        """Nowhere: a log is a file."""
        return Location()

    def restart(self) -> None:
        """Not available: a log has no process."""
        self._lack("restart")

    def peak_memory(self) -> int | None:
        """Nobody measures a log."""
        return None

    def close(self) -> None:
        """Nothing is held."""

    def _lack(self, capability: str) -> NoReturn:
        msg = f"the replay server lacks the capability {capability!r}: it has what was answered, not the model"
        raise CapabilityMissing(msg)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path.name}: expected JSON Lines in UTF-8: {error}"
        raise SettingsError(msg) from error


def _plain(prompt: Prompt) -> Prompt:
    """A conversation of a single user message is the same as its text."""
    return prompt if isinstance(prompt, str) or len(prompt) > 1 else prompt[0].content


def _missing(prompt: Prompt, known: int) -> str:
    if known:
        answers = "1 answer" if known == 1 else f"{known} answers"
        return f"the log has {answers} to the prompt {as_text(prompt)[:60]!r}, and each counts once"
    return f"the log has no answer to the prompt {as_text(prompt)[:60]!r}"


def _entry(line: str, place: str) -> tuple[Prompt, Response]:
    try:
        entry = json.loads(line)
        if "request" in entry:  # a record of a run
            response = response_from_json(entry["response"] | {"replayed": True})
            return _plain(prompt_from_json(entry["request"]["prompt"])), response
        return _plain(_prompt(entry)), _response(entry)
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        msg = f"{place}: expected {SHAPE}, got {line[:60]!r} ({type(error).__name__}: {error})"
        raise SettingsError(msg) from error


def _prompt(entry: dict[str, Any]) -> Prompt:
    given = next((entry[name] for name in PROMPTS if name in entry), None)
    if given is None:
        msg = f"there is none of {', '.join(PROMPTS)}"
        raise KeyError(msg)
    return given if isinstance(given, str) else messages_from(given)


def _response(entry: dict[str, Any]) -> Response:
    if entry.get("error"):
        return replace(Response.failed(str(entry["error"])), replayed=True)
    text = next((entry[name] for name in ANSWERS if name in entry), None)
    if not isinstance(text, str):
        msg = f"there is no text under any of {', '.join(ANSWERS)}"
        raise KeyError(msg)
    usage = entry.get("usage") or {}
    return Response(
        text=text,
        finish_reason="length" if entry.get("finish_reason") == "length" else "stop",
        usage=Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)),
        timing=Timing(seconds=float(entry.get("seconds") or 0.0)),
        cost=entry.get("cost", 0.0),
        replayed=True,
    )
