"""The engine in this process: a Hugging Face model through torch and transformers, batched."""

from __future__ import annotations

from pytest_llmval.errors import SettingsError

try:
    import torch  # noqa: F401 - asked for here, so that its absence is explained once
    import transformers  # noqa: F401
except ModuleNotFoundError as error:
    if error.name not in {"torch", "transformers"}:
        raise
    message = f"server 'transformers' needs {error.name}: pip install pytest-llmval[transformers]"
    raise SettingsError(message) from error

from pytest_llmval.servers.engine.engine import TransformersEngine

__all__ = ["TransformersEngine"]
