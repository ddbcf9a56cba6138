"""From which score on two of many things are linked, before they are sorted into groups."""

from nearkin.calibration.decisions import Calibration

# Links of the same thing that are kept at least, however many false ones come along.
_LEAST_TAR = 0.3


def link_score(calibration: Calibration, n: int) -> float:
    """The score that two different things reach with a chance of 1 / n: each of n then has one false link.

    It is lower where fewer than 30 % of the comparisons of the same thing would reach it, and where the calibration
    does not support so low a rate.

    Args:
        calibration: of the encoder.
        n: how many things there are, n >= 1.
    """
    score = calibration.threshold(min(max(1 / n, calibration.least_far), 0.5)).score
    curve = calibration.curve
    reached = [one for one, tar in zip(curve.scores, curve.tar, strict=True) if tar >= _LEAST_TAR]
    return min([score, *reached[-1:]])
