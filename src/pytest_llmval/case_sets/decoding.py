"""Decoding: how an answer is generated."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class Decoding:
    """How an answer is generated; greedy unless a temperature is given.

    Raises:
        ValueError: If a parameter is out of its range; the text names it.
    """

    max_tokens: int = 64
    """Most tokens generated; reaching it is reported as finish reason `length`."""
    temperature: float = 0.0
    """0 is greedy; otherwise logits are divided by it before sampling."""
    top_p: float = 1.0
    """Share of probability kept when sampling, in (0, 1]."""
    top_k: int = 0
    """Number of most probable tokens kept when sampling; 0 keeps all."""
    stop: tuple[str, ...] = ()
    """Strings that end the answer; they are not part of it."""
    logprobs: int | None = None
    """None: no logprobs; k: the chosen token's, and those of the k most probable tokens."""
    json_schema: str | None = None
    """JSON schema, as text with sorted keys, that the answer has to obey; None for any text."""

    def __post_init__(self) -> None:
        """Refuse values that no server could honour."""
        rules = (
            ("max_tokens", _is_whole(self.max_tokens, 1), "a whole number of at least 1"),
            ("temperature", _is_number(self.temperature) and 0 <= self.temperature < INFINITY, "0 (greedy) or more"),
            ("top_p", _is_number(self.top_p) and 0 < self.top_p <= 1, "a share in (0, 1]"),
            ("top_k", _is_whole(self.top_k, 0), "0 (all tokens) or a whole number"),
            ("stop", all(map(_is_text, self.stop)), "strings that are not empty"),
            ("json_schema", self.json_schema is None or _is_schema(self.json_schema), "a JSON schema: a dict"),
            ("logprobs", self.logprobs is None or _is_whole(self.logprobs, 0), "None or a whole number of at least 0"),
        )
        for name, holds, rule in rules:
            if not holds:
                msg = f"{name}={getattr(self, name)!r}: expected {rule}"
                raise ValueError(msg)

    def __str__(self) -> str:
        """The parameters that are set, as in a call: `max_tokens=48, temperature=0.7`."""
        parts = [f"max_tokens={self.max_tokens}", f"temperature={self.temperature:g}"]
        defaults = {"top_p": 1.0, "top_k": 0, "stop": (), "logprobs": None, "json_schema": None}
        parts += [
            f"{name}={getattr(self, name)!r}" for name, default in defaults.items() if getattr(self, name) != default
        ]
        return ", ".join(parts)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_schema(value: object) -> bool:
    try:
        return isinstance(value, str) and isinstance(json.loads(value), dict)
    except ValueError:
        return False


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


NAMES = tuple(each.name for each in fields(Decoding))
"""The names a user may give to `cases()` and `llm.generate()`."""


def decoding_from(**parameters: object) -> Decoding:
    """Decoding from keywords; `stop` may be one string or several, `json_schema` a dict.

    Raises:
        TypeError: If a name is not a decoding parameter.
        ValueError: If a value is out of range.
    """
    for name in parameters:
        if name not in NAMES:
            msg = f"unexpected argument {name!r}; decoding parameters are {', '.join(NAMES)}"
            raise TypeError(msg)
    stop = parameters.get("stop") or ()
    parameters["stop"] = tuple(stop) if isinstance(stop, list | tuple) else (stop,)
    if isinstance(parameters.get("json_schema"), dict):
        parameters["json_schema"] = json.dumps(parameters["json_schema"], sort_keys=True)
    return Decoding(**parameters)  # type: ignore[arg-type]
