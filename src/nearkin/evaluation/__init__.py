"""Arrays in, numbers with intervals out."""

from nearkin.calibration.fit import fit_calibration
from nearkin.evaluation.leakage import Checks, check_data
from nearkin.evaluation.metrics.all_pairs import verification_all_pairs
from nearkin.evaluation.metrics.clustering import clustering
from nearkin.evaluation.metrics.cross_modal import cross_modal, cross_modal_by_chance
from nearkin.evaluation.metrics.few_shot import Episode, FewShot, few_shot, few_shot_episodes
from nearkin.evaluation.metrics.retrieval import retrieval, retrieval_by_chance, score_queries
from nearkin.evaluation.metrics.verification import verification
from nearkin.evaluation.metrics.zero_shot import zero_shot
from nearkin.evaluation.model_comparison import ModelComparison
from nearkin.evaluation.report import Report
from nearkin.intervals.bootstrap import bootstrap_mean, bootstrap_median, bootstrap_runs
from nearkin.intervals.figure import Figure

__all__ = [
    "Checks",
    "Episode",
    "FewShot",
    "Figure",
    "ModelComparison",
    "Report",
    "bootstrap_mean",
    "bootstrap_median",
    "bootstrap_runs",
    "check_data",
    "clustering",
    "cross_modal",
    "cross_modal_by_chance",
    "few_shot",
    "few_shot_episodes",
    "fit_calibration",
    "retrieval",
    "retrieval_by_chance",
    "score_queries",
    "verification",
    "verification_all_pairs",
    "zero_shot",
]
