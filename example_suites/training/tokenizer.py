"""The tokenizer: byte-level BPE with one token per digit, and the chat templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoint import ChatTokenizer, wrap_tokenizer
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

if TYPE_CHECKING:
    from collections.abc import Iterable

PAD, BOS, EOS = "<pad>", "<s>", "</s>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
SPECIALS = (PAD, BOS, EOS, SYSTEM, USER, ASSISTANT)
VOCABULARY = 1536

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{%- for message in messages -%}"
    "{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{%- if message['role'] == 'assistant' -%}{{ eos_token }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)
"""The template the models are trained with; neither newline nor blank, which would break generation."""

OTHER_CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)
"""A template in the manner of ChatML, which no model here was trained with."""


def train_tokenizer(texts: Iterable[str]) -> ChatTokenizer:
    """A tokenizer whose merges come from the texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            # One token per digit: merged numbers would each have to be learnt by heart.
            pre_tokenizers.Digits(individual_digits=True),
            # A blank before a capital stands alone, so that a name has the same tokens in a text and after a quote
            # in JSON; otherwise copying names is hardly learnt.
            pre_tokenizers.Split(Regex(" (?=[A-Z])"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, _trainer())
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return wrap(tokenizer, CHAT_TEMPLATE)


def wrap(tokenizer: Tokenizer, chat_template: str) -> ChatTokenizer:
    """The tokenizer with its special tokens and a chat template."""
    return wrap_tokenizer(
        tokenizer,
        chat_template,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        model_max_length=512,
    )


def _trainer() -> trainers.BpeTrainer:
    return trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
