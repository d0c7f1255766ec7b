"""Known bugs of tokenizers and chat templates, put in on purpose: positive controls for checks of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.mutation import Mutation, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llmval.scoring.mutation import Inject

_OTHER_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def known_token_bugs(tokenizer: Any) -> tuple[Mutation, ...]:
    """The bugs that fit a tokenizer of transformers: of its template if it has one, of its text processing if fast.

    Source:
        What conversions and upgrades have changed unnoticed: templates edited or taken from another model, a BOS
        added twice, a normaliser that came with another version, spaces cleaned up on decoding.
    """
    return (*_of_template(tokenizer), *_of_backend(tokenizer))


def _of_template(tokenizer: Any) -> Iterator[Mutation]:
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, str):
        yield Mutation("wrong chat template", ("chat_template",), replaced("chat_template", lambda _: _OTHER_TEMPLATE))
        newline = replaced("chat_template", lambda old: old + "{{ '\\n' }}")
        yield Mutation("newline after the template", ("chat_template",), newline)


def _of_backend(tokenizer: Any) -> Iterator[Mutation]:
    if not hasattr(tokenizer, "backend_tokenizer"):
        return
    yield Mutation("text normalised (NFKC, lower case)", ("normalizer",), _backend("normalizer", _normalising))
    if tokenizer.bos_token_id is not None:
        adding = _backend("post_processor", lambda _: _adding_bos(tokenizer))
        yield Mutation("BOS added twice", ("post_processor",), adding)


def _normalising(_: Any) -> Any:
    from tokenizers import normalizers

    return normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])


def _adding_bos(tokenizer: Any) -> Any:
    from tokenizers import processors

    bos, number = tokenizer.bos_token, tokenizer.bos_token_id
    return processors.TemplateProcessing(
        single=f"{bos} {bos} $A", pair=f"{bos} {bos} $A $B", special_tokens=[(bos, number)]
    )


def _backend(part: str, change: Callable[[Any], Any]) -> Inject:
    """The bug of a part of the fast tokenizer behind."""
    return replaced(part, change, lambda tokenizer: tokenizer.backend_tokenizer)
