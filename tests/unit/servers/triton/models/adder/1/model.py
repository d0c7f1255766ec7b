"""Is never asked: it takes no text."""


class TritonPythonModel:
    """What the server calls."""

    def execute(self, requests):
        """Answer nothing."""
        return [None for _ in requests]
