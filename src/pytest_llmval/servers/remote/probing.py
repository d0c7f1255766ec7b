"""What a server really does, found by asking it: what was asked for has to come back."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.reference import count_roughly
from pytest_llmval.servers.remote.echoes import is_broken, text_tokens
from pytest_llmval.servers.remote.faults import NotThere, Unanswered
from pytest_llmval.servers.remote.payloads import CHAT, COMPLETIONS, Extras, Post, response_format
from pytest_llmval.servers.remote.replies import expected_shape, text_of, token_ids, token_logprobs, usage_of
from pytest_llmval.servers.server import Capabilities, Finding

if TYPE_CHECKING:
    from pytest_llmval.servers.remote.replies import TextLogprob
    from pytest_llmval.servers.remote.scoring import Scoring
    from pytest_llmval.servers.remote.transport import Transport

PROMPT = "Ten things that nobody expects:"
TOKENS = 12
"""Most tokens of each answer."""
SEEDS = (1, 2, 3, 4)
SCHEMA = {
    "type": "object",
    "properties": {"sure": {"type": "boolean"}},
    "required": ["sure"],
    "additionalProperties": False,
}
SCHEMA_TOKENS = 32
ATTEMPTS = 2
"""How often an option is asked over which the server breaks down; one that is only busy is insisted on."""
ENOUGH = 8
"""Tokens whose logprobs are compared, written and read, if as many can be had."""
TOLERANCE = 0.1
"""Mean difference of logprobs of the same tokens read and written; half precision makes 0.07 of single ones."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What a server was found to do."""

    findings: tuple[Finding, ...]
    echo_tokens: int = 0
    """Tokens that have to be generated for the logprobs of a prompt: 0, or 1 where the server refuses 0."""

    def holds(self, name: str) -> bool:
        """Whether the server was found to do this."""
        return any(finding.holds for finding in self.findings if finding.name == name)

    def evidence(self, name: str) -> str:
        """What was found, in words."""
        return next((each.evidence for each in self.findings if each.name == name), "it was not looked for")

    @property
    def capabilities(self) -> Capabilities:
        """The same as a table."""
        names = ("chat", "logprobs", "loglikelihood", "seed", "stop", "token_ids", "streaming", "json_schema")
        return Capabilities(**{name: self.holds(name) for name in names})

    @property
    def extras(self) -> Extras:
        """What it takes beyond the OpenAI interface."""
        return Extras(self.holds("top_k"), self.holds("token_ids"))


@dataclass(frozen=True, slots=True)
class Given:
    """An answer of the server in the parts that are looked at."""

    body: dict[str, Any]

    @property
    def choice(self) -> dict[str, Any]:
        """The first answer."""
        found: dict[str, Any] = self.body["choices"][0]
        return found

    @property
    def text(self) -> str:
        """Its text."""
        return text_of(self.choice)


class Probe:
    """A server that is being asked."""

    def __init__(
        self,
        transport: Transport,
        model: str,
        path: str,
        attempts: int | None = None,
        options: tuple[tuple[str, Any], ...] = (),
    ) -> None:
        self.transport = transport
        self.model = model
        self._path = path
        self._attempts = attempts
        self._options = options
        self.is_chat = path == CHAT

    def hasty(self) -> Probe:
        """The same for options over which the server may break down: it is not insisted on an answer."""
        return Probe(self.transport, self.model, self._path, ATTEMPTS, self._options)

    def ask(self, **options: Any) -> Given:
        """The answer to the same prompt as always, greedy unless the options say otherwise."""
        return Given(self.transport.post(self._sized(self._payload() | options), attempts=self._attempts).body)

    def _payload(self) -> dict[str, Any]:
        prompt = {"messages": [{"role": "user", "content": PROMPT}]} if self.is_chat else {"prompt": PROMPT}
        return dict(self._options) | {"model": self.model, "max_tokens": TOKENS, "temperature": 0} | prompt

    def _sized(self, payload: dict[str, Any]) -> Post:
        return Post(self._path, payload, count_roughly(PROMPT), payload["max_tokens"] * payload.get("n", 1))

    def streamed(self) -> tuple[Given, float | None]:
        """The greedy answer in pieces, and the seconds until the first."""
        reply = self.transport.post(self._sized(self._payload()), streams=True, attempts=self._attempts)
        return Given(reply.body), reply.first_token_seconds

    def sampled(self, seed: int, **options: Any) -> Given:
        """The answer at temperature 1."""
        return self.ask(temperature=1, seed=seed, **options)


def probe(transport: Transport, model: str, scoring: Scoring, options: tuple[tuple[str, Any], ...] = ()) -> Probed:
    """What the server does of what it may be asked, by about fifteen requests of a few tokens each.

    Raises:
        ServerError: If it does not answer at all.
    """
    completions, chat = (Probe(transport, model, path, options=options) for path in (COMPLETIONS, CHAT))
    plain = [_looked("completions", completions), _looked("chat", chat)]
    probes = [each for each, finding in zip((completions, chat), plain, strict=True) if finding.holds]
    if not probes:
        raise NotThere("; ".join(finding.evidence for finding in plain))
    greedy = probes[0].ask()
    with expected_shape(greedy.body):
        findings = [*plain, _usage(greedy), *_options(probes, greedy)]
        found, echo_tokens = _loglikelihood(probes[0].hasty(), probes[0], scoring)
    return Probed((*findings, found), echo_tokens)


def _looked(name: str, asked: Probe) -> Finding:
    try:
        asked.ask(max_tokens=1)
    except (RequestRefused, NotThere) as refusal:
        return Finding(name, holds=False, evidence=str(refusal), refused=True)
    return Finding(name, holds=True, evidence="it answers")


def _options(probes: list[Probe], greedy: Given) -> list[Finding]:
    hasty = [each.hasty() for each in probes]
    first = hasty[0]
    checks = (
        ("stop", lambda: _stop(first, greedy)),
        ("seed", lambda: _seed(first)),
        ("n", lambda: _n(first)),
        ("token_ids", lambda: _token_ids(first)),
        ("top_k", lambda: _top_k(first, greedy)),
        ("logprobs", lambda: _logprobs(hasty)),
        ("streaming", lambda: _streaming(hasty[-1])),
        ("json_schema", lambda: _json_schema(hasty[-1])),
    )
    return [_tried(name, check, probes[0]) for name, check in checks]


def _tried(name: str, check: Any, asked: Probe) -> Finding:
    try:
        holds, evidence = check()
    except (RequestRefused, NotThere) as refusal:
        return Finding(name, holds=False, evidence=str(refusal), refused=True)
    except Unanswered as fault:
        asked.ask()  # a server that answers without the option broke down over it; one that is down raises here
        return Finding(name, holds=False, evidence=str(fault), refused=True)
    return Finding(name, holds, evidence)


def _usage(greedy: Given) -> Finding:
    usage = usage_of(greedy.body)
    if usage.prompt_tokens < 1:
        return Finding("usage", holds=False, evidence="no number of tokens came with the answer")
    evidence = f"{usage.prompt_tokens} tokens in and {usage.completion_tokens} out were counted"
    return Finding("usage", holds=True, evidence=evidence)


def _stop(asked: Probe, greedy: Given) -> tuple[bool, str]:
    pieces = [found for found in re.finditer(r"[A-Za-z0-9]{1,6}", greedy.text) if found.start() > 0]
    if not pieces:
        return False, f"the greedy answer {greedy.text!r} has nothing to stop at"
    piece = pieces[len(pieces) // 2].group()
    stopped = asked.ask(stop=[piece]).text
    if piece in stopped or len(stopped) >= len(greedy.text):
        return False, f"asked to stop at {piece!r}, the answer went on: {stopped!r}"
    return True, f"asked to stop at {piece!r}, the answer ended before it"


def _seed(asked: Probe) -> tuple[bool, str]:
    first, again = asked.sampled(SEEDS[0]).text, asked.sampled(SEEDS[0]).text
    if first != again:
        return False, f"seed {SEEDS[0]} gave two texts at temperature 1: {first!r} and {again!r}"
    for seed in SEEDS[1:]:
        if asked.sampled(seed).text != first:
            return True, f"seed {SEEDS[0]} gave the same text twice at temperature 1, and seed {seed} another one"
    return False, f"the seeds {SEEDS[0]} to {SEEDS[-1]} gave the same text at temperature 1: {first!r}"


def _streaming(asked: Probe) -> tuple[bool, str]:
    given, seconds = asked.streamed()
    if seconds is None:
        return False, f"asked for the answer in pieces, none of them had text: {given.text!r}"
    return True, f"asked for the answer in pieces, the first came after {seconds:.3f} s"


def _json_schema(asked: Probe) -> tuple[bool, str]:
    text = asked.ask(response_format=response_format(SCHEMA), max_tokens=SCHEMA_TOKENS).text
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    holds = isinstance(found, dict) and list(found) == ["sure"] and isinstance(found["sure"], bool)
    return holds, f"asked for JSON of a schema with one field `sure`, true or false; the answer is {text!r:.120}"


def _n(asked: Probe) -> tuple[bool, str]:
    count = len(asked.sampled(SEEDS[0], n=2).body["choices"])
    return count == 2, f"asked for 2 answers, {count} came back"  # noqa: PLR2004 - as asked


def _token_ids(asked: Probe) -> tuple[bool, str]:
    given = asked.ask(return_token_ids=True)
    ids, expected = token_ids(given.choice), usage_of(given.body).completion_tokens
    if not ids:
        return False, "asked for token ids, none came back"
    if len(ids) != expected:
        return False, f"asked for token ids, {len(ids)} came back for {expected} tokens"
    return True, "asked for token ids, one a token came back"


def _top_k(asked: Probe, greedy: Given) -> tuple[bool, str]:
    free = [asked.sampled(seed).text for seed in SEEDS[:2]]
    if free == [greedy.text] * 2:
        return False, "sampling at temperature 1 gave the greedy text, so that top_k cannot be seen to do anything"
    cut = [asked.sampled(seed, top_k=1).text for seed in SEEDS[:2]]
    if cut != [greedy.text] * 2:
        return False, f"asked for top_k = 1 at temperature 1, the answers were not greedy: {cut!r}"
    return True, "asked for top_k = 1 at temperature 1, the answers were greedy"


def _logprobs(probes: list[Probe]) -> tuple[bool, str]:
    found = [_logprobs_of(asked) for asked in probes]
    return next((each for each in found if not each[0]), found[0])


def _logprobs_of(asked: Probe) -> tuple[bool, str]:
    given = asked.ask(**({"logprobs": True, "top_logprobs": 2} if asked.is_chat else {"logprobs": 2}))
    tokens, where = token_logprobs(given.choice), "chat" if asked.is_chat else "completions"
    if not tokens:
        return False, f"asked for logprobs ({where}), none came back"
    usage = usage_of(given.body)
    if usage.completion_tokens and len(tokens) != usage.completion_tokens:
        return False, f"asked for logprobs ({where}), {len(tokens)} came back for {usage.completion_tokens} tokens"
    if any(each.logprob is None or each.logprob > 0 for each in tokens):
        return False, f"asked for logprobs ({where}), some that came back are none: {[each.logprob for each in tokens]}"
    return True, f"asked for logprobs ({where}), one a token came back"


def _loglikelihood(asked: Probe, patient: Probe, scoring: Scoring) -> tuple[Finding, int]:
    """Whether logprobs of given text are those with which the server wrote it, and the tokens that has to cost."""
    if asked.is_chat:
        evidence = "without completions the logprobs of a prompt cannot be asked"
        return Finding("loglikelihood", holds=False, evidence=evidence, refused=True), 0
    tried = []
    for most in (0, 1):
        check = functools.partial(_compare_scores, asked, scoring, most)
        tried.append((_tried("loglikelihood", check, patient), most))
        if tried[-1][0].holds:
            break
    return max(tried, key=lambda each: (each[0].holds, not each[0].refused, each[1]))


def _compare_scores(asked: Probe, scoring: Scoring, most: int) -> tuple[bool, str]:
    """Tokens that were written and then read again must have the same logprobs both times."""
    pairs: list[tuple[float | None, float | None]] = []
    for seed in SEEDS:
        prompt = f"{PROMPT} {seed}."  # another one each time, for servers that always write the same
        written = asked.sampled(seed, prompt=prompt, logprobs=1)
        text = prompt + written.text
        body = asked.transport.post(scoring.post(asked.model, text, most), attempts=ATTEMPTS).body
        if most == 0 and usage_of(body).completion_tokens > 0:
            return False, f"asked for no token after a text, {usage_of(body).completion_tokens} were written"
        try:
            read = text_tokens(scoring.read(body, text), text)
        except RequestRefused as unread:  # by us: the server did not refuse, and gave something else
            return False, str(unread)
        found = [each.token for each in read if each.start >= len(prompt)]
        pairs += _alike(token_logprobs(written.choice) or [], found)
        if len(pairs) >= ENOUGH:
            break
    return _compare(pairs)


def _alike(written: list[TextLogprob], read: list[TextLogprob]) -> list[tuple[float | None, float | None]]:
    """Logprobs of the tokens that are the same in both, from the first on."""
    both = takewhile(
        lambda pair: pair[0].token == pair[1].token and not is_broken(pair[0].token), zip(written, read, strict=False)
    )
    return [(one.logprob, other.logprob) for one, other in both]


def _compare(pairs: list[tuple[float | None, float | None]]) -> tuple[bool, str]:
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    if not known:
        return False, "no answer was read again as the tokens in which it was written, so none can be compared"
    if len(known) < len(pairs):
        return False, f"asked for the logprobs of the prompt, {len(pairs) - len(known)} of {len(pairs)} are missing"
    gap = fmean(abs(one - other) for one, other in known)
    if not gap <= TOLERANCE:
        first = f"{known[0][1]:.4f}, while it was written with {known[0][0]:.4f}"
        return False, f"logprobs of a prompt are not those of its tokens, by {gap:.2f} on average: the first is {first}"
    return True, f"{len(known)} tokens that were written have the same logprobs when read, within {gap:.2g} on average"
