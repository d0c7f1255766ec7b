"""A Hugging Face model for Triton's Python backend: text in, text out, with the probabilities of both."""

import json
import os
from dataclasses import dataclass, field

import numpy as np
import triton_python_backend_utils as pb

PIECE_END = pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL
BROKEN = "\N{REPLACEMENT CHARACTER}"


class TritonPythonModel:
    """What the server calls; one request at a time."""

    def initialize(self, args):
        """Load the folder that MODEL_FOLDER names."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        # Here and not above: the server runs this file once more, only to look at its configuration.
        self.torch, folder = torch, os.environ["MODEL_FOLDER"]
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.context = self.model.config.max_position_embeddings
        self.is_decoupled = pb.using_decoupled_model_transaction_policy(json.loads(args["model_config"]))

    def execute(self, requests):
        """Answer each request, in one piece or in several."""
        if not self.is_decoupled:
            return [next(self.responses(request, streams=False)) for request in requests]
        for request in requests:
            sender = request.get_response_sender()
            for response in self.responses(request, streams=value_of(request, "stream", default=False)):
                sender.send(response)
            sender.send(flags=PIECE_END)
        return None

    def responses(self, request, *, streams):
        """The pieces of the answer, or why there is none."""
        try:
            with self.torch.inference_mode():
                for outputs in self.pieces(request, streams=streams):
                    yield pb.InferenceResponse([pb.Tensor(name, value) for name, value in outputs.items()])
        except ValueError as refusal:
            yield pb.InferenceResponse(error=pb.TritonError(str(refusal), pb.TritonError.INVALID_ARG))

    def pieces(self, request, *, streams):
        """The outputs of each piece."""
        ids = self.encoded(value_of(request, "text_input", default=""))
        read = self.read(ids) if value_of(request, "return_prompt_log_probs", default=False) else {}
        read["num_input_tokens"] = np.array([len(ids)], dtype=np.int32)
        row = Row(self.tokenizer, stop_strings(request))
        for token, logprob in self.generate(ids, request):
            row.take(token, logprob)
            if row.is_done:
                break
            if streams and row.ready():
                yield row.piece() | read
        yield row.piece(last=True) | read

    def encoded(self, text):
        """Token ids with one BOS, whether the text brings it or not."""
        bos = self.tokenizer.bos_token
        ids = self.tokenizer(text, add_special_tokens=not (bos and text.startswith(bos)), verbose=False)["input_ids"]
        if not text or len(ids) > self.context:
            msg = f"the prompt has {len(ids)} tokens; expected 1 to {self.context}"
            raise ValueError(msg)
        return ids

    def read(self, ids):
        """The prompt's tokens and their logprobs."""
        rows = self.model(self.torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        found = rows.gather(-1, self.torch.tensor(ids[1:]).unsqueeze(-1)).squeeze(-1)
        return {
            "prompt_tokens": texts(self.tokenizer.decode([token]) for token in ids),
            "prompt_log_probs": found.numpy(),
            "prompt_top_log_probs": rows.max(-1).values.numpy(),
        }

    def generate(self, ids, request):
        """Each next token with its logprob."""
        wanted, room = int(value_of(request, "max_tokens", default=16)), self.context - len(ids)
        if wanted > 0 and room < 1:
            msg = f"the prompt has {len(ids)} tokens, which leaves no room for an answer in {self.context}"
            raise ValueError(msg)
        chance = self.torch.Generator().manual_seed(int(value_of(request, "seed", default=0)) % 2**63)
        fed, cache = ids, None
        for _ in range(min(wanted, room)):
            output = self.model(self.torch.tensor([fed]), past_key_values=cache, use_cache=True)
            logits = output.logits[0, -1]
            token = self.chosen(logits, request, chance)
            yield token, float(logits.log_softmax(-1)[token])
            fed, cache = [token], output.past_key_values

    def chosen(self, logits, request, chance):
        """The next token."""
        temperature, top_k = value_of(request, "temperature", default=0), value_of(request, "top_k", default=0)
        if temperature <= 0 or top_k == 1:
            return int(logits.argmax())
        ordered, tokens = (logits / float(temperature)).sort(descending=True)
        shares = ordered[: top_k or len(ordered)].softmax(-1)
        before = shares.cumsum(-1) - shares
        shares[before >= float(value_of(request, "top_p", default=1))] = 0
        return int(tokens[self.torch.multinomial(shares, 1, generator=chance)])


@dataclass
class Row:
    """An answer as far as it has come."""

    tokenizer: object
    stop: list
    tokens: list = field(default_factory=list)
    logprobs: list = field(default_factory=list)
    text: str = ""
    sent: int = 0
    """Characters that were sent."""
    counted: int = 0
    """Tokens that were sent."""
    is_done: bool = False

    def take(self, token, logprob):
        """Add a token, and see whether the answer ends with it."""
        self.tokens.append(token)
        self.logprobs.append(logprob)
        self.text = self.tokenizer.decode(self.tokens, skip_special_tokens=True)
        ends = [self.text.find(stop) for stop in self.stop if stop in self.text]
        self.is_done = bool(ends) or token == self.tokenizer.eos_token_id
        self.text = self.text[: min(ends, default=None)]

    def ready(self):
        """Whether there is text that no further token can change or cut."""
        return len(self._certain()) > self.sent

    def _certain(self):
        open_end = max((len(stop) - 1 for stop in self.stop), default=0)
        return self.text[: max(0, len(self.text) - open_end)].rstrip(BROKEN)

    def piece(self, *, last=False):
        """The outputs for what was not sent yet."""
        text, tokens = self.text if last else self._certain(), self.tokens[self.counted :]
        outputs = {
            "text_output": texts([text[self.sent :]]),
            "finish_reason": texts([("stop" if self.is_done else "length") if last else ""]),
            "token_ids": np.array(tokens, dtype=np.int32),
            "tokens": texts(self.tokenizer.decode([token]) for token in tokens),
            "output_log_probs": np.array(self.logprobs[self.counted :], dtype=np.float32),
            "num_output_tokens": np.array([len(tokens)], dtype=np.int32),
        }
        self.sent, self.counted = len(text), len(self.tokens)
        return outputs


def value_of(request, name, *, default):
    """The value of an input that has one."""
    tensor = pb.get_input_tensor_by_name(request, name)
    if tensor is None:
        return default
    value = tensor.as_numpy().reshape(-1)[0]
    return value.decode() if isinstance(value, bytes) else value


def stop_strings(request):
    """The strings that end the answer."""
    tensor = pb.get_input_tensor_by_name(request, "stop")
    return [] if tensor is None else [stop.decode() for stop in tensor.as_numpy().reshape(-1)]


def texts(values):
    """Texts as a tensor."""
    return np.array([value.encode() for value in values], dtype=np.object_)
