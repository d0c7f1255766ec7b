"""A pytest plugin that writes down the CPU seconds spent in the engine, once the model is loaded."""

import functools
import json
import os
import time
from pathlib import Path

CALLS = ("answer", "document_likelihood")
spent = {"seconds": 0.0}


def pytest_sessionstart():
    from pytest_llmval.servers.engine import TransformersEngine

    for name in CALLS:
        setattr(TransformersEngine, name, timed(getattr(TransformersEngine, name)))


def pytest_sessionfinish():
    Path(os.environ["HARNESS_OUT"]).write_text(json.dumps(spent))


def timed(method):
    """The method of an engine, its time added up."""

    @functools.wraps(method)
    def call(engine, *arguments):
        engine.network, engine.tokenizer  # noqa: B018 - loaded here, so that it is not counted
        start = time.process_time()
        try:
            return method(engine, *arguments)
        finally:
            spent["seconds"] += time.process_time() - start

    return call
