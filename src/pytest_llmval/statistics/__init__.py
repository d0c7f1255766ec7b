"""Pure mathematics of comparison: intervals, p-values and sample sizes."""

from __future__ import annotations

from pytest_llmval.statistics.agreement.coefficient import Agreement
from pytest_llmval.statistics.agreement.expected_grade import expected_grade
from pytest_llmval.statistics.agreement.judge_correction import (
    JudgeCounts,
    corrected_rate,
    prediction_powered_mean,
    rogan_gladen,
)
from pytest_llmval.statistics.agreement.kappa import cohen_kappa, fleiss_kappa, gwet_ac1
from pytest_llmval.statistics.agreement.krippendorff import krippendorff_alpha
from pytest_llmval.statistics.agreement.rater_model import dawid_skene
from pytest_llmval.statistics.calibration.consistency import consistency, consistency_p, reliability
from pytest_llmval.statistics.calibration.errors import (
    debiased_calibration_error,
    expected_calibration_error,
    maximum_calibration_error,
    overconfidence,
    root_mean_square_calibration_error,
)
from pytest_llmval.statistics.calibration.power import calibration_power, required_calibration_cases
from pytest_llmval.statistics.calibration.scores import (
    brier_binary,
    brier_decomposition,
    brier_multiclass,
    negative_log_likelihood,
)
from pytest_llmval.statistics.differences.bootstrap import bootstrap_interval, bootstrap_ratio_interval
from pytest_llmval.statistics.differences.clustered import clustered_interval
from pytest_llmval.statistics.differences.dependence import design_effect, intraclass_correlation
from pytest_llmval.statistics.differences.paired import mcnemar_exact, mcnemar_midp, paired_t_interval, tango_interval
from pytest_llmval.statistics.differences.ratio import weighted_interval
from pytest_llmval.statistics.differences.sign_flip import sign_flip_p
from pytest_llmval.statistics.differences.suite import suite_interval
from pytest_llmval.statistics.differences.variance import VarianceComponents, variance_components
from pytest_llmval.statistics.distributions.drift import jensen_shannon, population_stability
from pytest_llmval.statistics.distributions.kernel_distance import mmd_squared
from pytest_llmval.statistics.intervals import Interval, clopper_pearson_interval, wilson_interval
from pytest_llmval.statistics.multiplicity import benjamini_hochberg, holm
from pytest_llmval.statistics.order_statistics import quantile, quantile_interval, smallest_sample_for
from pytest_llmval.statistics.power import (
    minimal_detectable_effect,
    optimal_trials,
    required_n,
    required_n_binary,
)
from pytest_llmval.statistics.safety.fairness import bbq_score, entropy_index, theil_index
from pytest_llmval.statistics.safety.memorisation import exposure
from pytest_llmval.statistics.safety.toxicity import expected_maximum_toxicity, toxic_fraction, toxicity_probability
from pytest_llmval.statistics.sequential.cusum import cusum, cusum_run_length
from pytest_llmval.statistics.sequential.e_process import anytime_p, e_process_binary, e_process_bounded

__all__ = [
    "Agreement",
    "Interval",
    "JudgeCounts",
    "VarianceComponents",
    "anytime_p",
    "bbq_score",
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
    "corrected_rate",
    "cusum",
    "cusum_run_length",
    "dawid_skene",
    "debiased_calibration_error",
    "design_effect",
    "e_process_binary",
    "e_process_bounded",
    "entropy_index",
    "expected_calibration_error",
    "expected_grade",
    "expected_maximum_toxicity",
    "exposure",
    "fleiss_kappa",
    "gwet_ac1",
    "holm",
    "intraclass_correlation",
    "jensen_shannon",
    "krippendorff_alpha",
    "maximum_calibration_error",
    "mcnemar_exact",
    "mcnemar_midp",
    "minimal_detectable_effect",
    "mmd_squared",
    "negative_log_likelihood",
    "optimal_trials",
    "overconfidence",
    "paired_t_interval",
    "population_stability",
    "prediction_powered_mean",
    "quantile",
    "quantile_interval",
    "reliability",
    "required_calibration_cases",
    "required_n",
    "required_n_binary",
    "rogan_gladen",
    "root_mean_square_calibration_error",
    "sign_flip_p",
    "smallest_sample_for",
    "suite_interval",
    "tango_interval",
    "theil_index",
    "toxic_fraction",
    "toxicity_probability",
    "variance_components",
    "weighted_interval",
    "wilson_interval",
]
