"""What a server really does, found by asking it: what was asked for has to come back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.remote.echoes import is_broken, text_tokens
from pytest_llmval.servers.remote.faults import NotThere
from pytest_llmval.servers.remote.payloads import CHAT, COMPLETIONS, Extras, echo
from pytest_llmval.servers.remote.replies import expected_shape, text_of, token_ids, token_logprobs, usage_of
from pytest_llmval.servers.server import Capabilities

if TYPE_CHECKING:
    from pytest_llmval.servers.remote.replies import TextLogprob
    from pytest_llmval.servers.remote.transport import Transport

PROMPT = "Ten things that nobody expects:"
TOKENS = 12
"""Most tokens of each answer."""
SEEDS = (1, 2, 3, 4)
ENOUGH = 8
"""Tokens whose logprobs are compared, written and read, if as many can be had."""
TOLERANCE = 0.1
"""Mean difference of logprobs of the same tokens read and written; half precision makes 0.07 of single ones."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked of a server, and what came of it."""

    name: str
    """The capability, or another word for what was asked."""
    holds: bool
    evidence: str
    """What was asked and what came back, in words."""

    def __str__(self) -> str:
        """As a line of a table: `seed: no, the seeds 1 to 4 gave the same text at temperature 1`."""
        return f"{self.name}: {'yes' if self.holds else 'no'}, {self.evidence}"


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
        names = ("chat", "logprobs", "loglikelihood", "seed", "stop", "token_ids")
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

    def __init__(self, transport: Transport, path: str) -> None:
        self._transport = transport
        self._path = path
        self.is_chat = path == CHAT

    def ask(self, **options: Any) -> Given:
        """The answer to the same prompt as always, greedy unless the options say otherwise."""
        prompt = {"messages": [{"role": "user", "content": PROMPT}]} if self.is_chat else {"prompt": PROMPT}
        model = self._transport.endpoint.model
        payload = {"model": model, "max_tokens": TOKENS, "temperature": 0} | prompt | options
        return Given(self._transport.post(self._path, payload, len(PROMPT) + TOKENS).body)

    def sampled(self, seed: int, **options: Any) -> Given:
        """The answer at temperature 1."""
        return self.ask(temperature=1, seed=seed, **options)


def probe(transport: Transport) -> Probed:
    """What the server does of what it may be asked, by about fifteen requests of a few tokens each.

    Raises:
        ServerError: If it does not answer at all.
    """
    completions, chat = Probe(transport, COMPLETIONS), Probe(transport, CHAT)
    plain = [_looked("completions", completions), _looked("chat", chat)]
    probes = [each for each, finding in zip((completions, chat), plain, strict=True) if finding.holds]
    if not probes:
        raise NotThere("; ".join(finding.evidence for finding in plain))
    greedy = probes[0].ask()
    with expected_shape(greedy.body):
        findings = [*plain, _usage(greedy), *_options(probes, greedy)]
        found, echo_tokens = _loglikelihood(transport, probes[0])
    return Probed((*findings, found), echo_tokens)


def _looked(name: str, asked: Probe) -> Finding:
    try:
        asked.ask(max_tokens=1)
    except (RequestRefused, NotThere) as refusal:
        return Finding(name, holds=False, evidence=str(refusal))
    return Finding(name, holds=True, evidence="it answers")


def _options(probes: list[Probe], greedy: Given) -> list[Finding]:
    first = probes[0]
    checks = (
        ("stop", lambda: _stop(first, greedy)),
        ("seed", lambda: _seed(first)),
        ("n", lambda: _n(first)),
        ("token_ids", lambda: _token_ids(first)),
        ("top_k", lambda: _top_k(first, greedy)),
        ("logprobs", lambda: _logprobs(probes)),
    )
    return [_tried(name, check) for name, check in checks]


def _tried(name: str, check: Any) -> Finding:
    try:
        holds, evidence = check()
    except RequestRefused as refusal:
        return Finding(name, holds=False, evidence=str(refusal))
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


def _loglikelihood(transport: Transport, asked: Probe) -> tuple[Finding, int]:
    """Whether logprobs of given text are those with which the server wrote it, and the tokens that has to cost."""
    name = "loglikelihood"
    if asked.is_chat:
        return Finding(name, holds=False, evidence="without completions the logprobs of a prompt cannot be asked"), 0
    refusals = []
    for most in (0, 1):
        try:
            holds, evidence = _compare_echo(transport, asked, most)
        except RequestRefused as refusal:
            refusals.append(str(refusal))
        else:
            return Finding(name, holds, evidence), most
    return Finding(name, holds=False, evidence=refusals[-1]), 0


def _compare_echo(transport: Transport, asked: Probe, most: int) -> tuple[bool, str]:
    """Tokens that were written and then read again must have the same logprobs both times."""
    pairs: list[tuple[float | None, float | None]] = []
    for seed in SEEDS:
        prompt = f"{PROMPT} {seed}."  # another one each time, for servers that always write the same
        written = asked.sampled(seed, prompt=prompt, logprobs=1)
        text = prompt + written.text
        post = echo(transport.endpoint.model, text, most)
        read = text_tokens(transport.post(post.path, post.payload, post.tokens).body, text)
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
