"""Translation: requests and answers of the OpenAI interface as one model of a Triton server has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import RequestRefused, ServerError
from pytest_llmval.servers.remote.triton.dialect import joined, lacking
from pytest_llmval.servers.remote.triton.fields import Fields
from pytest_llmval.servers.remote.triton.vllm_backend import SAMPLING, VllmBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llmval.servers.remote.triton.dialect import Dialect, Outputs
    from pytest_llmval.servers.remote.triton.interface import Interface

TEXT, ANSWER = "text_input", "text_output"
STREAM, EXCLUDES, READS = "stream", "exclude_input_in_output", "return_prompt_log_probs"
READ = ("prompt_tokens", "prompt_log_probs", "prompt_top_log_probs")
"""What a model has to tell for the probabilities of given texts, beside the input `return_prompt_log_probs`."""
RETURNS = ("return_num_input_tokens", "return_num_output_tokens", "return_finish_reason")
SWITCHES = frozenset({STREAM, EXCLUDES, READS, *RETURNS})
NO_REASON = ("", "None")
"""What models say of pieces that are not the last."""
UNKNOWN = {"n": "answers once", "response_format": "cannot be told a schema"}
"""Options that no dialect has."""


@dataclass(frozen=True, slots=True)
class Translation:
    """What one model is asked, and what it answers."""

    interface: Interface
    dialect: Dialect
    repeats: bool = False
    """Whether its answers begin with the prompt, and nothing can be done about it."""

    @classmethod
    def of(cls, interface: Interface, decode: Callable[[int], str]) -> Translation:
        """The translation for an interface; `decode` gives the text of a token id.

        Raises:
            ServerError: If the model takes no text, gives none, or requires what is not known.
        """
        if TEXT not in interface.inputs or ANSWER not in interface.outputs:
            msg = (
                f"the model {interface.name!r} does not write text: {interface.listed()}; expected an input {TEXT!r} "
                f"and an output {ANSWER!r}, as models of the TensorRT-LLM and vLLM backends have them"
            )
            raise ServerError(msg)
        dialect = VllmBackend(interface) if SAMPLING in interface.inputs else Fields(interface, decode)
        _refuse_unknown_inputs(interface, dialect)
        return cls(interface, dialect)

    def repeating(self) -> Translation:
        """The same for a model that repeats the prompt."""
        return replace(self, repeats=True)

    def comes_in_pieces(self, *, streams: bool) -> bool:
        """Whether several pieces may come; a model that sends them has to be told when one is to be all.

        Raises:
            RequestRefused: If pieces are wanted of a model that answers in one.
        """
        if streams and not self.interface.is_decoupled:
            msg = (
                f"the model {self.interface.name!r} answers in one piece; its configuration would need "
                "model_transaction_policy { decoupled: true }"
            )
            raise RequestRefused(msg)
        return self.interface.is_decoupled and (streams or STREAM not in self.interface.inputs)

    def inputs(self, payload: Mapping[str, Any], text: str, *, streams: bool) -> dict[str, list[Any]]:
        """The values of all inputs for a request with this prompt.

        Raises:
            RequestRefused: If the model has no input for what is asked.
        """
        for option, what in UNKNOWN.items():
            if option in payload:
                msg = f"{option}={payload[option]!r:.80}: the model {self.interface.name!r} {what}"
                raise RequestRefused(msg)
        switches = self._switches(reads=bool(payload.get("echo")), streams=streams)
        wanted = {TEXT: text, **switches, **self.dialect.inputs(payload)}
        return {name: self.interface.inputs[name].values(value) for name, value in wanted.items()}

    def _switches(self, *, reads: bool, streams: bool) -> dict[str, bool]:
        """Those that the model has."""
        if reads and not (READS in self.interface.inputs and self.interface.outputs.issuperset(READ)):
            raise lacking(self.interface, "echo", value=True, names=[READS])
        wanted = {STREAM: streams, EXCLUDES: True, **dict.fromkeys(RETURNS, True), READS: reads}
        return {name: value for name, value in wanted.items() if name in self.interface.inputs}

    def body(self, pieces: Sequence[Outputs], payload: Mapping[str, Any], text: str) -> dict[str, Any]:
        """What all pieces of an answer say, in the shape of `completions`."""
        answer = "".join(text_of(piece) for piece in pieces)
        ids, usage = self.dialect.token_ids(pieces), self._usage(pieces)
        choice = {
            "text": answer.removeprefix(text) if self.repeats else answer,
            "finish_reason": _finish_reason(pieces, usage, payload["max_tokens"]),
            "token_ids": ids,
            "logprobs": self.dialect.logprobs(pieces),
        }
        return {"choices": [choice | _echo(pieces, text) if payload.get("echo") else choice], "usage": usage}

    def _usage(self, pieces: Sequence[Outputs]) -> dict[str, int]:
        """Tokens as far as the model counts them."""
        read, written = joined(pieces, "num_input_tokens"), joined(pieces, "num_output_tokens")
        counted = sum(written) if written else len(self.dialect.token_ids(pieces))
        return {"prompt_tokens": read[-1] if read else 0, "completion_tokens": counted}


def _refuse_unknown_inputs(interface: Interface, dialect: Dialect) -> None:
    known = dialect.known | SWITCHES | {TEXT}
    unknown = [name for name, field in interface.inputs.items() if field.is_required and name not in known]
    if unknown:
        msg = (
            f"the model {interface.name!r} requires the input {unknown[0]!r}, and it is not known what to say there; "
            f"known are {', '.join(map(repr, sorted(known)))}: make it optional, or ask another model of the server"
        )
        raise ServerError(msg)


def text_of(piece: Outputs) -> str:
    """The text of one piece; of several answers that of the first."""
    return str(next(iter(piece.get(ANSWER, ())), ""))


def _finish_reason(pieces: Sequence[Outputs], usage: Mapping[str, int], max_tokens: int) -> str | None:
    """As the model says, else by the number of its tokens; None where nobody knows."""
    said = [reason for reason in joined(pieces, "finish_reason") if reason not in NO_REASON]
    if said:
        return str(said[-1])
    return "length" if usage["completion_tokens"] >= max_tokens else None


def _echo(pieces: Sequence[Outputs], text: str) -> dict[str, Any]:
    """The prompt's own tokens as an echo has them; nothing stands before the first."""
    tokens, logprobs, best = (joined(pieces, name) for name in READ)
    tops = [
        {token: most} if most <= own else {"": most}
        for token, own, most in zip(tokens[1:], logprobs, best, strict=True)
    ]
    return {
        "text": text,
        "logprobs": {"tokens": tokens, "token_logprobs": [None, *logprobs], "top_logprobs": [None, *tops]},
    }
