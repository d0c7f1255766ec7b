"""TritonSender: requests in OpenAI's words, asked of one model of a Triton server in its own."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.message import Message
from pytest_llmval.servers.remote.faults import NotThere, Unanswered
from pytest_llmval.servers.remote.probing import PROMPT
from pytest_llmval.servers.remote.replies import expected_shape
from pytest_llmval.servers.remote.sending import Arrival
from pytest_llmval.servers.remote.triton.faults import not_ready
from pytest_llmval.servers.remote.triton.interface import interface_of
from pytest_llmval.servers.remote.triton.translation import EXCLUDES, Translation, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmval.servers.reference import Reference
    from pytest_llmval.servers.remote.endpoint import Endpoint
    from pytest_llmval.servers.remote.payloads import Post
    from pytest_llmval.servers.remote.sending import Watch
    from pytest_llmval.servers.remote.triton.connection import Connection
    from pytest_llmval.servers.remote.triton.dialect import Outputs

NO_TEMPLATE = 'Triton has no chat template; name a folder with the model\'s own with reference = "…"'


class TritonSender:
    """Sends to one model. What it takes and gives is asked before the first request."""

    def __init__(
        self, endpoint: Endpoint, connection: Connection, reference: Reference, version: str | None = None
    ) -> None:
        """A sender over a connection.

        Args:
            endpoint: The server, and the model's name there.
            connection: The way to it.
            reference: The model's tokenizer, by whose template conversations become text.
            version: The model's version, for messages.
        """
        self.endpoint = endpoint
        self._connection = connection
        self._reference = reference
        self._version = version
        self._learning = Lock()
        self._translation: Translation | None = None

    def open(self) -> None:
        """Make ready to send."""
        self._connection.open()

    def send(self, post: Post, watch: Watch, *, streams: bool) -> Arrival:
        """Make one attempt."""
        payload = post.payload or {}
        text = self._text(payload)
        return self._asked(self._learned(watch), payload, text, watch, streams=streams)

    def _asked(
        self, translation: Translation, payload: Mapping[str, Any], text: str, watch: Watch, *, streams: bool
    ) -> Arrival:
        several = translation.comes_in_pieces(streams=streams)
        inputs = translation.inputs(payload, text, streams=streams)
        pieces: list[Outputs] = []
        first = None
        for piece in self._connection.pieces(translation.interface, inputs, watch, several=several):
            pieces.append(piece)
            if first is None and streams and text_of(piece):
                first = watch.seconds
        if not pieces:
            msg = "the answer has no piece"
            raise Unanswered(msg)
        with expected_shape({"pieces": pieces}):
            return Arrival(translation.body(pieces, payload, text), first)

    def _text(self, payload: Mapping[str, Any]) -> str:
        """The prompt as text: a conversation through the reference's template.

        Raises:
            NotThere: If there is no reference.
        """
        if "messages" not in payload:
            return str(payload["prompt"])
        if not self._reference.is_known:
            raise NotThere(NO_TEMPLATE)
        return self._reference.rendered(tuple(Message(**message) for message in payload["messages"]))

    def _learned(self, watch: Watch) -> Translation:
        """How the model is asked; found out by the first who needs it."""
        with self._learning:
            if self._translation is None:
                self._translation = self._learn(watch)
            return self._translation

    def _learn(self, watch: Watch) -> Translation:
        """How the model is asked.

        Raises:
            ServerError: If the model is not there, or cannot be asked for text.
        """
        try:
            config = self._connection.config(watch)
        except NotThere as missing:
            models = self._connection.models(watch)
            raise not_ready(self.endpoint.model, self._version, missing, models) from missing
        translation = Translation.of(interface_of(config), self._decoded)
        has_choice = EXCLUDES in translation.interface.inputs
        return translation if has_choice or not self._repeats(translation, watch) else translation.repeating()

    def _repeats(self, translation: Translation, watch: Watch) -> bool:
        """Whether an answer of one token begins with a prompt of several."""
        arrival = self._asked(translation, {"max_tokens": 1, "temperature": 0}, PROMPT, watch, streams=False)
        return str(arrival.body["choices"][0]["text"]).startswith(PROMPT)

    def _decoded(self, token_id: int) -> str:
        """The text of a token; empty where the tokenizer is not known."""
        return str(self._reference.tokenizer.decode([token_id])) if self._reference.is_known else ""

    def place(self, post: Post) -> str:  # noqa: ARG002 - the protocol has it; all goes to the model
        """The model's address."""
        return self._connection.where()

    def cleaned(self, text: str) -> str:
        """A message without the key."""
        return self._connection.cleaned(text)

    def revive(self) -> bool:
        """Start the server anew if it is ours and died."""
        return self.endpoint.revive()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
