"""Answers with the prompt and what else was asked, as JSON."""

import json

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    """What the server calls."""

    def execute(self, requests):
        """One answer a request, in two rows of which the first counts."""
        return [self.answer(request) for request in requests]

    def answer(self, request):
        """The prompt, and every input with its shape."""
        given = {each.name(): each.as_numpy() for each in request.inputs()}
        prompt = given.pop("text_input").reshape(-1)[0].decode()
        said = {name: [list(value.shape), plain(value)] for name, value in sorted(given.items())}
        text = (prompt + json.dumps(said)).encode()
        outputs = [
            pb.Tensor("text_output", np.array([[text]], dtype=np.object_)),
            pb.Tensor("output_log_probs", np.array([[[-0.25, -0.5]]], dtype=np.float32)),
        ]
        return pb.InferenceResponse(outputs)


def plain(value):
    """Values as JSON has them."""
    return [each.decode() if isinstance(each, bytes) else each for each in value.reshape(-1).tolist()]
