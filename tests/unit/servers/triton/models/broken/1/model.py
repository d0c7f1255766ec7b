"""Cannot be loaded."""


class TritonPythonModel:
    """What the server calls."""

    def initialize(self, args):  # noqa: ARG002 - the server calls it so
        """Fail."""
        msg = "the weights are missing"
        raise RuntimeError(msg)

    def execute(self, requests):
        """Never called."""
        raise NotImplementedError
