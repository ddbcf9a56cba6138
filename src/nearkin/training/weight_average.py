"""Weight averaging: an exponential moving average of an encoder's weights, which fluctuate less than the weights."""

from torch import nn


def follow(average: nn.Module, model: nn.Module, *, decay: float, step: int) -> None:
    """Move the average towards the model: a <- d a + (1 - d) w for all weights and the statistics of batch norms.

    In the first steps d is (1 + step) / (10 + step), if that is less than the decay, so that the average does not
    cling to the random weights that training begins with. Counters are copied.

    Args:
        average: another module of the model's kind, changed in place.
        model: the one in training.
        decay: d, 0 < d < 1; the average spans about 1 / (1 - d) steps.
        step: steps done before.

    Example:
        >>> average, model = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.zeros_(average.weight), nn.init.ones_(model.weight)
        >>> follow(average, model, decay=0.75, step=1000)
        >>> average.weight.item()
        0.25

    Source: Polyak and Juditsky 1992 for averaging; the short memory at first as in TensorFlow's
    ExponentialMovingAverage with num_updates.
    """
    share = 1 - min(decay, (1 + step) / (10 + step))
    values = model.state_dict()
    for name, mean in average.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(values[name], share)
        else:
            mean.copy_(values[name])
