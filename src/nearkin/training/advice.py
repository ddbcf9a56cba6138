"""What to try next, if a training has not learnt enough or could learn more."""

from collections.abc import Mapping, Sequence

from nearkin.encoders.backbones import BACKBONES
from nearkin.evaluation.report import Report
from nearkin.training.settings import TrainSettings

# A loss that has changed by less than this share of itself has not moved.
MOVED = 0.02


def advice(metrics: Sequence[Mapping[str, str]], report: Report, settings: TrainSettings) -> list[str]:
    """Sentences for the summary of a run; none if all is well.

    Args:
        metrics: the rows of `metrics.csv`.
        report: final figures beside those of raw pixels.
        settings: of the run.
    """
    return [*_on_words(report, settings), *_on_pictures(metrics, report, settings)]


def _on_words(report: Report, settings: TrainSettings) -> list[str]:
    """That a text tower learned less than counting words would have."""
    metric = "text_to_image/recall@5"
    found, bags = (
        figures.get("cross_modal", {}).get(metric)
        for figures in (report.figures, report.baselines.get("bag of words", {}))
    )
    if found is None or bags is None or found.value >= bags.value:
        return []
    tower = "" if settings.text_tower in ("e5", "gru-e5") else ", or a text tower that knows words (--text-tower e5)"
    return [
        f"Words find fewer pictures than a bag of words does, {metric} {100 * found.value:.1f} % against "
        f"{100 * bags.value:.1f} %: these captions are too few for the text tower. Try more of them{tower}."
    ]


def _on_pictures(metrics: Sequence[Mapping[str, str]], report: Report, settings: TrainSettings) -> list[str]:
    found = report.figures.get("retrieval", {}).get("recall@1")
    raw = report.baselines.get("raw pixels", {}).get("retrieval", {}).get("recall@1")
    if found is None or raw is None or not metrics:
        return []
    stalled = _is_stalled([float(row["loss"]) for row in metrics])
    rising = not stalled and len(metrics) > 1 and _best_epoch(metrics) == int(metrics[-1]["epoch"])
    longer = f"training longer (--resume --epochs {3 * len(metrics)})"
    if found.value == raw.value == 1:
        return ["The model and raw pixels both find every picture: these are too few or too easy to tell models apart."]
    if found.value <= raw.value:
        loss = "softmax" if settings.loss == "multi-similarity" else "multi-similarity"
        other_loss = f"another loss (--loss {loss})"
        pretrained = settings.weights is None and settings.backbone not in BACKBONES
        features = "pretrained weights (--weights pretrained)" if pretrained else "more pictures of more classes"
        slower = f"a lower learning rate (--learning-rate {settings.learning_rate / 3:.1g})"
        two = (other_loss, slower) if stalled else (longer, features) if rising else (features, other_loss)
        loss_word = " The loss has hardly moved." if stalled else ""
        return [
            f"Not better than raw pixels, {100 * found.value:.1f} % against {100 * raw.value:.1f} %: so far this model "
            f"is of no use.{loss_word} Try {two[0]}, or {two[1]}."
        ]
    return [f"The last epoch was the best: try {longer}."] if rising and settings.minutes is None else []


def _is_stalled(losses: Sequence[float]) -> bool:
    """Whether the loss ends where it began."""
    return len(losses) > 1 and abs(losses[-1] - losses[0]) <= MOVED * abs(losses[0])


def _best_epoch(metrics: Sequence[Mapping[str, str]]) -> int:
    """The first epoch with the best recall@1."""
    validated = [row for row in metrics if row.get("recall@1")]
    best = max(validated, key=lambda row: float(row["recall@1"]), default=None)
    return int(best["epoch"]) if best is not None else 0
