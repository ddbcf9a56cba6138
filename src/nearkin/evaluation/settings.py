"""What to evaluate by: the protocols, their options, the random seed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nearkin.arrays import check_seed
from nearkin.evaluation.protocol import Protocol, options_of
from nearkin.evaluation.protocols import PROTOCOLS, protocols_in_order


@dataclass(frozen=True)
class EvaluationSettings:
    """What to evaluate by.

    Args:
        protocols: names, such as "few_shot"; by default all that the data allow.
        required: whether protocols given by name have to run. One that the data do not allow is then left out and a
            note says why, or it is an error if no other was given; else it is left out in silence.
        options: by protocol, an object of its options; the defaults for protocols that are not there.
        chance: whether to give what random embeddings would reach.
        seed: random seed of intervals, episodes and clusters.

    Raises:
        UnknownName: no such protocol.

    Example:
        >>> EvaluationSettings(("few-shot",)).protocols
        ('few_shot',)
    """

    protocols: Sequence[str] | None = None
    required: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    chance: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_seed(self.seed))
        for name in (*(self.protocols or ()), *self.options):
            PROTOCOLS.check(name)
        if self.protocols is not None:
            object.__setattr__(self, "protocols", tuple(name.replace("-", "_") for name in self.protocols))
        object.__setattr__(self, "options", {name.replace("-", "_"): own for name, own in self.options.items()})

    def chosen(self) -> dict[str, Protocol]:
        """The protocols that may run, by name, in the order of reports."""
        return {
            name: protocol
            for name, protocol in protocols_in_order().items()
            if self.protocols is None or name in self.protocols
        }

    def options_for(self, name: str) -> Any:
        """The options of this protocol."""
        return self.options[name] if name in self.options else PROTOCOLS[name].options()


def protocol_options(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options by protocol from options by name alone, as the command line and keyword arguments have them.

    Returns:
        By protocol an object of its options, for those of which some were given; and what is no option of a protocol.

    Example:
        >>> options, others = protocol_options({"ways": 3, "seed": 1})
        >>> options["few_shot"].ways, others
        (3, {'seed': 1})
    """
    found, left = {}, dict(given)
    for name, protocol in protocols_in_order().items():
        own = {one.name: left.pop(one.name) for one in options_of(protocol) if one.name in left}
        if own:
            found[name] = protocol.options(**own)
    return found, left


def option_names() -> Iterable[str]:
    """The names of all options of all protocols."""
    return [one.name for protocol in protocols_in_order().values() for one in options_of(protocol)]
