"""Reference: what is known here of a model that is served elsewhere."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import CapabilityMissing, RequestRefused

if TYPE_CHECKING:
    from pytest_llmval.servers.engine.encoding import Prompt
    from pytest_llmval.settings import ModelSettings


BYTES_PER_TOKEN = 4
"""Of English text in common tokenizers, about."""
MESSAGE_TOKENS = 4
"""That a chat template adds to each message, about."""


class Reference:
    """The tokenizer of the folder that a version names as its reference, if it names one."""

    def __init__(self, model: ModelSettings) -> None:
        self._model = model

    @property
    def is_known(self) -> bool:
        """Whether there is a folder."""
        return self._model.reference_model is not None

    @functools.cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer in this process.

        Raises:
            CapabilityMissing: If no folder is named.
            ServerError: If transformers is not installed, or the files cannot be read.
        """
        folder = self._model.reference_model
        if folder is None:
            msg = (
                f"the {self._model.server} server of {self._model.name!r} lacks the capability 'tokenizer': it is at "
                'the other end; name a folder that has it with reference = "…"'
            )
            raise CapabilityMissing(msg)
        from pytest_llmval.servers.opening import require

        require("transformers", "transformers", self._model)
        from pytest_llmval.servers.engine.loading import load_tokenizer

        return load_tokenizer(folder)

    def count(self, prompt: Prompt) -> int:
        """Tokens of a prompt as the model reads it; about, where its tokenizer is not known.

        Raises:
            RequestRefused: If the tokenizer or its chat template refuses it.
        """
        if not self.is_known:
            return roughly(prompt)
        from pytest_llmval.servers.engine.encoding import encode_prompt

        return len(encode_prompt(self.tokenizer, prompt))

    def rendered(self, prompt: Prompt) -> str:
        """A prompt as the plain text that becomes the model's tokens when a server tokenises it with special tokens.

        Raises:
            RequestRefused: If the template refuses the messages, or has no BOS where the tokenizer adds one.
        """
        if isinstance(prompt, str):
            return prompt
        from pytest_llmval.servers.engine.encoding import render

        text, _ = render(self.tokenizer, prompt)
        bos = self.tokenizer.bos_token
        if self.tokenizer("a")["input_ids"][:1] != [self.tokenizer.bos_token_id]:
            return text
        if not text.startswith(bos):
            msg = f"the chat template writes no {bos!r}, which the tokenizer adds to plain text; expected one that does"
            raise RequestRefused(msg)
        return text.removeprefix(bos)


def count_roughly(text: str) -> int:
    """Tokens of a text, about, without a tokenizer.

    >>> count_roughly("The opening hours")
    5
    """
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def roughly(prompt: Prompt) -> int:
    """Tokens of a prompt, about: a quarter of its bytes, and four for each message as most templates add."""
    if isinstance(prompt, str):
        return count_roughly(prompt)
    return sum(count_roughly(message.content) + MESSAGE_TOKENS for message in prompt)
