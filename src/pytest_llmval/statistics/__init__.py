"""Pure mathematics of comparison: intervals, p-values and sample sizes."""

from __future__ import annotations

from pytest_llmval.statistics.agreement import Agreement
from pytest_llmval.statistics.bootstrap import bootstrap_interval, bootstrap_ratio_interval
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
from pytest_llmval.statistics.dependence import design_effect, intraclass_correlation
from pytest_llmval.statistics.e_process import anytime_p, e_process_binary, e_process_bounded
from pytest_llmval.statistics.intervals import Interval, clopper_pearson_interval, wilson_interval
from pytest_llmval.statistics.kappa import cohen_kappa, fleiss_kappa, gwet_ac1
from pytest_llmval.statistics.krippendorff import krippendorff_alpha
from pytest_llmval.statistics.multiplicity import benjamini_hochberg, holm
from pytest_llmval.statistics.paired import mcnemar_exact, mcnemar_midp, paired_t_interval, tango_interval
from pytest_llmval.statistics.power import (
    minimal_detectable_effect,
    optimal_trials,
    required_n,
    required_n_binary,
)
from pytest_llmval.statistics.ratio import weighted_interval
from pytest_llmval.statistics.sign_flip import sign_flip_p
from pytest_llmval.statistics.suite import suite_interval
from pytest_llmval.statistics.variance import VarianceComponents, variance_components

__all__ = [
    "Agreement",
    "Interval",
    "VarianceComponents",
    "anytime_p",
    "benjamini_hochberg",
    "bootstrap_interval",
    "bootstrap_ratio_interval",
    "brier_binary",
    "brier_decomposition",
    "brier_multiclass",
    "calibration_power",
    "clopper_pearson_interval",
    "clustered_interval",
    "cohen_kappa",
    "consistency",
    "consistency_p",
    "debiased_calibration_error",
    "design_effect",
    "e_process_binary",
    "e_process_bounded",
    "expected_calibration_error",
    "fleiss_kappa",
    "gwet_ac1",
    "holm",
    "intraclass_correlation",
    "krippendorff_alpha",
    "maximum_calibration_error",
    "mcnemar_exact",
    "mcnemar_midp",
    "minimal_detectable_effect",
    "negative_log_likelihood",
    "optimal_trials",
    "overconfidence",
    "paired_t_interval",
    "reliability",
    "required_calibration_cases",
    "required_n",
    "required_n_binary",
    "root_mean_square_calibration_error",
    "sign_flip_p",
    "suite_interval",
    "tango_interval",
    "variance_components",
    "weighted_interval",
    "wilson_interval",
]
