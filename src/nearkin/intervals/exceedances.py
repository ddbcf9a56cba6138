"""How many further draws exceed one of the largest of some draws: exact, whatever the distribution.

A threshold that is set so that so many of some pictures of strangers reach it is such a draw. It varies with those
pictures, and what another group of strangers reaches varies with that group.
"""

import numpy as np

from nearkin.intervals.figure import TAIL


def exceedances(rank: int | float, trials: int | float, others: int) -> tuple[float, float]:
    """The share of further draws that reach the rank-th largest of some draws, in 95 % of cases.

    Args:
        rank: 1 is the largest; 1 <= rank <= trials. Neither needs to be a whole number: between two draws, or as
            many independent draws as vary as much.
        trials: how many draws there were.
        others: how many further ones there are, > 0.

    Example:
        >>> exceedances(1, 100, 100)
        (0.0, 0.05)

    Source: Gumbel & von Schelling 1950, The distribution of the number of exceedances.
    """
    from scipy.special import betaln, gammaln

    hits = np.arange(others + 1.0)
    ways = gammaln(others + 1) - gammaln(hits + 1) - gammaln(others - hits + 1)
    share = np.exp(ways + betaln(hits + rank, others - hits + trials - rank + 1) - betaln(rank, trials - rank + 1))
    up_to = np.cumsum(share)
    low, high = (int(np.searchsorted(up_to, tail * (1 - 1e-9))) for tail in (TAIL, 1 - TAIL))
    return low / others, min(high, others) / others
