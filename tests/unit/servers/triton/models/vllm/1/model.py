"""Answers with its sampling parameters, word by word, in the outputs of Triton's backend for vLLM."""

import json

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    """What the server calls."""

    def execute(self, requests):
        """Each answer in pieces of a word where that is asked for."""
        for request in requests:
            sender = request.get_response_sender()
            given = {each.name(): each.as_numpy().reshape(-1)[0] for each in request.inputs()}
            for piece in pieces(given):
                sender.send(piece)
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def pieces(given):
    """The responses to one request."""
    words = given["sampling_parameters"].decode().split(" ")
    prompt = "" if given.get("exclude_input_in_output") or given.get("stream") else given["text_input"].decode()
    if not given.get("stream"):
        yield response(given, prompt, words, last=True)
        return
    for at, word in enumerate(words):
        yield response(given, "", [word], last=at == len(words) - 1)


def response(given, prompt, words, *, last):
    """One piece; `None` is what the backend says of one that is not the last. Each byte that is read is a token."""
    tables = [
        {str(100 + len(word)): entry(-0.5, word), "0": entry(-0.25, "most"), "1": entry(-2.0, "least")}
        for word in words
    ]
    asked = {
        "return_finish_reason": ("finish_reason", text("length" if last else "None")),
        "return_logprobs": ("logprobs", text(json.dumps(tables))),
        "return_num_input_tokens": ("num_input_tokens", np.array([len(given["text_input"])], dtype=np.uint32)),
        "return_num_output_tokens": ("num_output_tokens", np.array([len(words)], dtype=np.uint32)),
    }
    found = [pb.Tensor(*output) for name, output in asked.items() if given.get(name)]
    return pb.InferenceResponse([pb.Tensor("text_output", text(prompt + "".join(words))), *found])


def entry(logprob, token):
    """What is told of a token."""
    return {"logprob": logprob, "rank": 1, "decoded_token": token}


def text(value):
    """A text as a tensor."""
    return np.array([value.encode()], dtype=np.object_)
