"""Arrays in, numbers with intervals out."""

from nearkin.evaluation.calibration import fit_calibration
from nearkin.evaluation.checks import Checks, check_data
from nearkin.evaluation.cross_modal import cross_modal, cross_modal_by_chance
from nearkin.evaluation.few_shot import few_shot
from nearkin.evaluation.intervals import Figure, bootstrap_mean, bootstrap_median, bootstrap_runs
from nearkin.evaluation.report import Report
from nearkin.evaluation.retrieval import retrieval, retrieval_by_chance, score_queries

__all__ = [
    "Checks",
    "Figure",
    "Report",
    "bootstrap_mean",
    "bootstrap_median",
    "bootstrap_runs",
    "check_data",
    "cross_modal",
    "cross_modal_by_chance",
    "few_shot",
    "fit_calibration",
    "retrieval",
    "retrieval_by_chance",
    "score_queries",
]
