"""Embedded pictures and texts to figures: runs the protocols that the data allow, beside baselines and chance."""

from collections.abc import Mapping, Sequence

from nearkin.errors import InvalidInput
from nearkin.evaluation.model_comparison import ModelComparison
from nearkin.evaluation.protocol import Embeddings, GroundTruth, Outcome
from nearkin.evaluation.protocols.retrieval import RetrievalOptions
from nearkin.evaluation.report import Report
from nearkin.evaluation.settings import EvaluationSettings
from nearkin.intervals.figure import Figure


def run_protocols(
    models: Mapping[str, Embeddings],
    truth: GroundTruth,
    settings: EvaluationSettings = EvaluationSettings(),  # noqa: B008
    *,
    baselines: Mapping[str, Embeddings] | None = None,
    notes: Sequence[str] = (),
) -> ModelComparison:
    """One model or several, and baselines, on the same pictures by the same protocols.

    Args:
        models: by name; the others are compared with the first.
        truth: what is known of the pictures.
        settings: what to evaluate by.
        baselines: by name, such as raw pixels.
        notes: what else the reader must know; they come first.

    Returns:
        A report for each model, and the paired differences to the first.

    Raises:
        InvalidInput: nothing can be evaluated, or not what was asked for.

    Example:
        >>> import numpy as np
        >>> corners, truth = np.eye(2)[[0, 0, 1, 1]], GroundTruth(np.array([0, 0, 1, 1]))
        >>> models = {"a": Embeddings(corners), "b": Embeddings(corners)}
        >>> found = run_protocols(models, truth, EvaluationSettings(["retrieval"]))
        >>> found.reports[0].figures["retrieval"]["recall@1"].value, found.differences["b"]["retrieval"]["map"].value
        (1.0, 0.0)
    """
    baselines = baselines or {}
    everyone = [*models.values(), *baselines.values()]
    outcomes, left_out = _run(everyone, truth, settings)
    evaluated = {name: outcome for name, outcome in outcomes.items() if outcome.estimates[0]}
    asked = settings.protocols is not None and settings.required
    if asked:
        left_out += [f"{_typed(name)} (no query has a right answer)" for name in outcomes if name not in evaluated]
    names = " and ".join(models)
    if not evaluated and asked and left_out:
        raise InvalidInput(f"{names}: nothing that was asked for can be evaluated: {'; '.join(left_out)}")
    if not evaluated:
        nothing = f"{names}: nothing to evaluate, no texts and no two pictures of one class."
        raise InvalidInput(" ".join([nothing, *notes]))
    about = [*notes, *(note for outcome in outcomes.values() for note in outcome.notes)]
    if left_out and (asked or settings.protocols is None):
        about.append(f"Protocols left out: {'; '.join(left_out)}.")
    figures = [
        {
            name: {metric: one.figure(seed=settings.seed) for metric, one in outcome.estimates[position].items()}
            for name, outcome in evaluated.items()
        }
        for position in range(len(everyone))
    ]
    beside = {name: _not_empty(figures[len(models) + position]) for position, name in enumerate(baselines)}
    if settings.chance:
        beside["chance"] = {name: dict(outcome.chance()) for name, outcome in evaluated.items()}
    counts = {"pictures": len(everyone[0].images)}
    counts |= {name: n for outcome in outcomes.values() for name, n in outcome.counts.items()}
    reports = (
        Report(
            name,
            figures[position],
            baselines={baseline: found for baseline, found in beside.items() if found},
            counts=counts,
            notes=tuple(about),
        )
        for position, name in enumerate(models)
    )
    differences = {
        name: _not_empty(
            {protocol: _differences(outcome, position, settings.seed) for protocol, outcome in evaluated.items()}
        )
        for position, name in enumerate(models)
        if position
    }
    return ModelComparison(tuple(models), tuple(reports), differences)


def quick_settings(*, seed: int, chance: bool = True, quick: bool = False) -> EvaluationSettings:
    """The protocols that are cheap enough for every epoch of a training, as far as the data allow them.

    Args:
        seed: random seed of the intervals.
        chance: whether to give what random embeddings would reach.
        quick: for the values alone, with narrower intervals than right where classes are few.
    """
    settings = EvaluationSettings()
    return EvaluationSettings(
        [name for name, protocol in settings.chosen().items() if protocol.quick],
        required=False,
        options={"retrieval": RetrievalOptions(quick=quick)},
        chance=chance,
        seed=seed,
    )


def _run(
    everyone: Sequence[Embeddings], truth: GroundTruth, settings: EvaluationSettings
) -> tuple[dict[str, Outcome], list[str]]:
    """What the protocols found, and which were left out and why."""
    outcomes: dict[str, Outcome] = {}
    left_out = []
    asked = settings.protocols is not None and settings.required
    chosen = settings.chosen()
    for name, protocol in chosen.items():
        options = settings.options_for(name)
        reason = None if asked else protocol.why_not_unasked(truth, options)
        try:
            if reason is None:
                outcomes[name] = protocol.run(everyone, truth, options, settings.seed)
        except InvalidInput as error:
            if (asked and len(chosen) == 1) or (not asked and name == "retrieval"):
                raise
            reason = str(error)
        if reason is not None:
            left_out.append(f"{_typed(name)} ({reason})")
    return outcomes, left_out


def _typed(name: str) -> str:
    """A protocol as the command line calls it."""
    return name.replace("_", "-")


def _not_empty(figures: Mapping[str, dict[str, Figure]]) -> dict[str, dict[str, Figure]]:
    """Without protocols that nothing was measured by."""
    return {protocol: metrics for protocol, metrics in figures.items() if metrics}


def _differences(outcome: Outcome, position: int, seed: int) -> dict[str, Figure]:
    """The differences of this model to the first."""
    first, other = outcome.estimates[0], outcome.estimates[position]
    return {metric: one.minus(first[metric], seed=seed) for metric, one in other.items() if metric in first}
