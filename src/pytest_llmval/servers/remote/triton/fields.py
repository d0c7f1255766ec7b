"""Fields: the dialect with an input for each option, as TensorRT-LLM's backend has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.servers.remote.triton.dialect import joined, lacking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llmval.servers.remote.triton.dialect import Outputs
    from pytest_llmval.servers.remote.triton.interface import Interface

OPTIONS = {
    "max_tokens": ("max_tokens", "request_output_len"),
    "temperature": ("temperature",),
    "top_k": ("top_k", "runtime_top_k"),
    "top_p": ("top_p", "runtime_top_p"),
    "seed": ("seed", "random_seed"),
    "stop": ("stop", "stop_words"),
}
"""By which names models take the options."""
SEEDS, MOST_SEEDS = {"INT32": 2**31, "UINT32": 2**32}, 2**63
"""How many seeds a datatype has room for."""
RETURN_LOGPROBS = ("return_log_probs", "return_logprobs")
LOGPROBS = ("output_log_probs", "token_logprobs")
TOKEN_IDS = ("token_ids", "output_ids")
NEUTRAL: dict[str, Any] = {
    "temperature": 1.0,
    "top_k": 0,
    "runtime_top_k": 0,
    "top_p": 1.0,
    "runtime_top_p": 1.0,
    "seed": 0,
    "random_seed": 0,
    "stop": [],
    "stop_words": "",
    "bad_words": "",
    "return_log_probs": False,
    "return_logprobs": False,
}
"""What changes nothing, for inputs that a model requires although the request says nothing of them."""


class Fields:
    """The dialect of one model."""

    known = frozenset(NEUTRAL).union(*OPTIONS.values())

    def __init__(self, interface: Interface, decode: Callable[[int], str]) -> None:
        """A dialect; `decode` gives the text of a token whose id the model tells and whose text it does not."""
        self._interface = interface
        self._decode = decode

    def inputs(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """One input an option; greedy by `top_k` = 1 where there is one, since some servers refuse temperature 0."""
        options = {name: payload[name] for name in OPTIONS if name in payload}
        if options.get("temperature") == 0:
            del options["temperature"]
            options |= self._greedy()
        found = {
            name: value
            for name, field in self._interface.inputs.items()
            if (value := NEUTRAL.get(name)) is not None and field.is_required
        }
        return found | dict(self._input(*option) for option in options.items()) | self._logprobs_wanted(payload)

    def _greedy(self) -> dict[str, Any]:
        """Nothing for a model with neither input: it chooses as it does."""
        for name, value in (("top_k", 1), ("temperature", 0.0)):
            if self._interface.first_input(OPTIONS[name]):
                return {name: value}
        return {}

    def _input(self, option: str, value: Any) -> tuple[str, Any]:
        field = self._interface.first_input(OPTIONS[option])
        if field is None:
            raise lacking(self._interface, option, value, OPTIONS[option])
        return field.name, value % SEEDS.get(field.datatype, MOST_SEEDS) if option == "seed" else value

    def _logprobs_wanted(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        wanted = payload.get("logprobs")
        if payload.get("echo") or wanted is None or wanted is False:
            return {}
        switch = self._interface.first_input(RETURN_LOGPROBS)
        if switch is None and not self._interface.outputs.intersection(LOGPROBS):
            raise lacking(self._interface, "logprobs", wanted, RETURN_LOGPROBS)
        return {switch.name: True} if switch else {}

    def logprobs(self, pieces: Sequence[Outputs]) -> dict[str, Any] | None:
        """Those of the chosen tokens; models of this kind do not tell those of others."""
        values = joined(pieces, *LOGPROBS)
        tokens = joined(pieces, "tokens") or [self._decode(number) for number in self.token_ids(pieces)]
        known = tokens if len(tokens) == len(values) else [""] * len(values)
        return {"tokens": known, "token_logprobs": values} if values else None

    def token_ids(self, pieces: Sequence[Outputs]) -> list[int]:
        """As an output has them."""
        return joined(pieces, *TOKEN_IDS)
