"""Arrays in, numbers with intervals out."""

from nearkin.evaluation.all_pairs import verification_all_pairs
from nearkin.evaluation.calibration import fit_calibration
from nearkin.evaluation.checks import Checks, check_data
from nearkin.evaluation.clustering import clustering
from nearkin.evaluation.cross_modal import cross_modal, cross_modal_by_chance
from nearkin.evaluation.few_shot import Episode, FewShot, few_shot, few_shot_episodes
from nearkin.evaluation.intervals import Figure, bootstrap_mean, bootstrap_median, bootstrap_runs
from nearkin.evaluation.report import Report
from nearkin.evaluation.retrieval import retrieval, retrieval_by_chance, score_queries
from nearkin.evaluation.side_by_side import SideBySide
from nearkin.evaluation.verification import verification

__all__ = [
    "Checks",
    "Episode",
    "FewShot",
    "Figure",
    "Report",
    "SideBySide",
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
]
