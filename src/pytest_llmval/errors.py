"""Everything raised on purpose.

LlmvalError
├── SettingsError         a name, path or option the user gave is wrong; pytest stops with status 4
├── DatasetError          a case file is wrong; pytest stops at collection with status 2
├── StoreError            the record store cannot be read or written
│   └── StoreUnwritable       for a reason outside, such as a full disk
└── ServerError           the model server did not answer
    ├── CapabilityMissing     it never can: the test is skipped with the capability's name
    ├── RequestRefused        this one request cannot be answered, others can
    ├── NotRecorded           there is no record of it, and no model may be asked
    └── BudgetSpent           asking on might cost more than --llmval-budget allows

AssertionError
├── ModelRegression       a gate failed: shown worse than allowed
└── InvalidComparison     a gate cannot be decided: the two sides are not comparable
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class LlmvalError(Exception):
    """Base of all errors of this package that are not failed assertions."""


class SettingsError(LlmvalError):
    """A setting, option or model version that cannot be used as given."""


class DatasetError(LlmvalError):
    """A case set that cannot be used as it stands."""


class StoreError(LlmvalError):
    """The record store cannot be read or written."""


class StoreUnwritable(StoreError):  # noqa: N818 - says what is wrong
    """A file cannot be written: infrastructure, such as a full disk."""


class ServerError(LlmvalError):
    """A model server failed: infrastructure, not a fault of the model's answers."""


class CapabilityMissing(ServerError):  # noqa: N818 - says what is missing
    """The server cannot do what was asked, for example give logits."""


class RequestRefused(ServerError):  # noqa: N818 - says what happened
    """One request cannot be answered, for example because its prompt is too long."""


class NotRecorded(ServerError):  # noqa: N818 - says what is missing
    """No record answers a request in a run that asks no model."""


class BudgetSpent(ServerError):  # noqa: N818 - says what happened
    """A request was not sent, since it might cost more than is left."""


class ModelRegression(AssertionError):  # noqa: N818 - a verdict, named in the report
    """A gate failed: the candidate is shown to be worse than allowed."""

    def __init__(self, message: str = "", report: object = None) -> None:
        super().__init__(message)
        self.report = report
        """What the comparison found, None when the message says it all."""


class InvalidComparison(AssertionError):  # noqa: N818 - a verdict, named in the report
    """A gate cannot be decided: the two sides are not comparable, or too much is missing."""

    def __init__(self, message: str = "", report: object = None) -> None:
        super().__init__(message)
        self.report = report
        """What the comparison found, None when there was none."""


# JUnit consumers print the class with its module; the headline must start with the verdict's own word.
ModelRegression.__module__ = "builtins"
InvalidComparison.__module__ = "builtins"


def nearest(name: str, known: Iterable[str]) -> str:
    """The sentence that helps someone who mistyped ``name``: the nearest known name and all of them.

    >>> nearest("v22", ["v1", "v2"])
    "did you mean 'v2'? known: 'v1', 'v2'"
    """
    names = sorted(known)
    if not names:
        return "none is known"
    listing = "known: " + ", ".join(repr(each) for each in names)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? {listing}" if close else listing
