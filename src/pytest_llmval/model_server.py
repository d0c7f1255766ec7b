"""ModelServer: the program that answers for a version, as tests get it from `model_server` and `baseline_server`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llmval.run import Run
    from pytest_llmval.servers.server import Location
    from pytest_llmval.settings import ModelSettings


class ModelServer:
    """Where a server is, now: one that was started anew has another URL and process than before."""

    def __init__(self, run: Run, model: ModelSettings) -> None:
        self._run = run
        self._model = model

    def __repr__(self) -> str:
        """Which server this is."""
        return f"<server of {self._model.name}: {self.url}>"

    @property
    def _location(self) -> Location:
        return self._run.server(self._model).location()

    @property
    def url(self) -> str:
        """Its base URL, with the version of the interface where that has one: `http://127.0.0.1:8000/v1`.

        Raises:
            ServerError: If it has to be started and cannot be.
        """
        return self._location.url

    @property
    def pid(self) -> int | None:
        """Its process id, None when this run did not start it."""
        return self._location.pid

    @property
    def log(self) -> Path | None:
        """The file it writes to, None when this run did not start it."""
        path = self._location.log
        return None if path is None else Path(path)

    def restart(self) -> None:
        """End its process and start it anew, which is no crash.

        Raises:
            CapabilityMissing: If this run did not start it.
        """
        self._run.server(self._model).restart()
