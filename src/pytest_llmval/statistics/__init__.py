"""Pure mathematics of comparison: intervals, p-values and sample sizes."""

from __future__ import annotations

from pytest_llmval.statistics.clustered import clustered_interval
from pytest_llmval.statistics.intervals import Interval, clopper_pearson_interval, wilson_interval
from pytest_llmval.statistics.paired import mcnemar_exact, mcnemar_midp, paired_t_interval, tango_interval
from pytest_llmval.statistics.power import minimal_detectable_effect, required_n
from pytest_llmval.statistics.sign_flip import sign_flip_p

__all__ = [
    "Interval",
    "clopper_pearson_interval",
    "clustered_interval",
    "mcnemar_exact",
    "mcnemar_midp",
    "minimal_detectable_effect",
    "paired_t_interval",
    "required_n",
    "sign_flip_p",
    "tango_interval",
    "wilson_interval",
]
