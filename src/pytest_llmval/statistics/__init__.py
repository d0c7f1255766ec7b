"""Pure mathematics of comparison: intervals, p-values and sample sizes."""

from __future__ import annotations

from pytest_llmval.statistics.calibration import (
    debiased_calibration_error,
    expected_calibration_error,
    maximum_calibration_error,
    overconfidence,
    root_mean_square_calibration_error,
)
from pytest_llmval.statistics.calibration_consistency import consistency, consistency_p, reliability
from pytest_llmval.statistics.calibration_power import calibration_power, required_calibration_cases
from pytest_llmval.statistics.calibration_scores import (
    brier_binary,
    brier_decomposition,
    brier_multiclass,
    negative_log_likelihood,
)
from pytest_llmval.statistics.clustered import clustered_interval
from pytest_llmval.statistics.intervals import Interval, clopper_pearson_interval, wilson_interval
from pytest_llmval.statistics.paired import mcnemar_exact, mcnemar_midp, paired_t_interval, tango_interval
from pytest_llmval.statistics.power import minimal_detectable_effect, required_n
from pytest_llmval.statistics.ratio import weighted_interval
from pytest_llmval.statistics.sign_flip import sign_flip_p

__all__ = [
    "Interval",
    "brier_binary",
    "brier_decomposition",
    "brier_multiclass",
    "calibration_power",
    "clopper_pearson_interval",
    "clustered_interval",
    "consistency",
    "consistency_p",
    "debiased_calibration_error",
    "expected_calibration_error",
    "maximum_calibration_error",
    "mcnemar_exact",
    "mcnemar_midp",
    "minimal_detectable_effect",
    "negative_log_likelihood",
    "overconfidence",
    "paired_t_interval",
    "reliability",
    "required_calibration_cases",
    "required_n",
    "root_mean_square_calibration_error",
    "sign_flip_p",
    "tango_interval",
    "weighted_interval",
    "wilson_interval",
]
