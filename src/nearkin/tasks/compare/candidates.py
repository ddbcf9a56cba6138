"""What is compared: every loss with every backbone, each with its own settings."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nearkin.errors import InvalidInput
from nearkin.losses.engine.names import weighted_names
from nearkin.tasks.compare.decided import DECIDED
from nearkin.training.settings import TrainSettings, overridden

# Names, or names with settings of their own (a mapping, or None).
Named = Sequence[str] | Mapping[str, Any]


@dataclass(frozen=True)
class Candidate:
    """One loss with one backbone.

    Args:
        loss, backbone: as they are called in tables; a baseline's name in place of a loss; raw pixels
            have no backbone.
        settings: of its trainings, but for the seed.
    """

    loss: str
    backbone: str
    settings: TrainSettings

    @property
    def folder(self) -> Path:
        """Where its runs lie, below the comparison's folder."""
        return Path(*(_slug(name) for name in (self.backbone, self.loss) if name))


def list_candidates(losses: Named, backbones: Named, settings: Mapping[str, Any]) -> list[Candidate]:
    """Every loss with every backbone; the settings of a loss win over those of a backbone, these over the common ones.

    Args:
        losses: such as "arcface", "triplet(margin=0.1)", "arcface+0.01*center"; or a mapping to settings of their own,
            such as `learning_rate`; with a `loss` among these, the name is free.
        backbones: likewise, with `backbone`.
        settings: common to all.

    Raises:
        UnknownName: no such loss, option or setting.
        InvalidInput: a value out of range, a name twice, no loss, or a setting that a comparison decides itself.

    Example:
        >>> [one] = list_candidates(["triplet(margin=0.1)"], ["conv4"], {"epochs": 2})
        >>> one.folder.as_posix(), one.settings.loss, one.settings.loss_options
        ('conv4/triplet(margin=0.1)', 'triplet', {'margin': 0.1})
    """
    from nearkin.losses import build_loss

    for name, instead in DECIDED.items():
        if name in settings:
            raise InvalidInput(f"'{name}' cannot be set in a comparison: {instead}")
    found = []
    for backbone, of_backbone in _with_settings(backbones, "backbone"):
        for loss, of_loss in _with_settings(losses, "loss"):
            name, options = parse_loss(of_loss.get("loss", loss))
            options = {**of_loss.get("loss_options", {}), **options}
            named = {"loss": name, "loss_options": options}
            merged = overridden(settings, {"backbone": backbone}, of_backbone, of_loss, named)
            checked = TrainSettings.checked(**merged)
            if checked.epochs == 0:
                raise InvalidInput("setting epochs is 0: a comparison trains its candidates; expected 1 or more")
            build_loss(name, classes=2, dim=checked.dim, options=options)
            found.append(Candidate(loss, backbone, checked))
    twice = {one.folder for one in found if sum(one.folder == other.folder for other in found) > 1}
    if twice:
        raise InvalidInput(f"named twice: {', '.join(sorted(map(str, twice)))}")
    return found


def check_losses(losses: Named) -> None:
    """Refuse losses that are not there, without torch; their options are checked by `list_candidates`.

    Raises:
        UnknownName, InvalidInput: as `list_candidates`.
    """
    for name, own in _with_settings(losses, "loss"):
        weighted_names(parse_loss(own.get("loss", name))[0])


def parse_loss(text: str) -> tuple[str, dict[str, Any]]:
    """A loss and its options, from `name(option=value, ...)`; values are read as YAML.

    Raises:
        InvalidInput: parentheses that do not close, or an option without a value.

    Example:
        >>> parse_loss("arcface+0.01*center(margin=0.3, center.rate=0.5)")
        ('arcface+0.01*center', {'margin': 0.3, 'center.rate': 0.5})
    """
    match = re.fullmatch(r"([^()]+)(?:\((.*)\))?", text.strip(), flags=re.DOTALL)
    if not match:
        raise InvalidInput(f"loss '{text}': expected a name, or name(option=value, ...)")
    options: dict[str, Any] = {}
    for part in split_at_commas(match[2] or ""):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(f"loss '{text}': option '{part}' has no value, expected such as margin=0.2")
        options[name.strip()] = yaml.safe_load(value)
    return match[1].strip(), options


def split_at_commas(text: str) -> list[str]:
    """The parts between commas that stand in no brackets, without spaces around them; empty ones are passed over.

    Example:
        >>> split_at_commas("softmax, triplet(margin=0.1, kind=all)")
        ['softmax', 'triplet(margin=0.1, kind=all)']
    """
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def _with_settings(named: Named, kind: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """Each name with its own settings."""
    if isinstance(named, str) or not named:
        raise InvalidInput(f"{kind}: got {named!r}, expected one or more names in a list, or names with settings")
    pairs = named.items() if isinstance(named, Mapping) else [(name, None) for name in named]
    for name, own in pairs:
        if own is not None and not isinstance(own, Mapping):
            raise InvalidInput(f"{kind} '{name}': expected settings by name, such as learning_rate: 0.001, got {own!r}")
        for decided in DECIDED.keys() - {"loss"} if kind == "loss" else DECIDED:
            if decided in (own or {}):
                raise InvalidInput(f"{kind} '{name}': '{decided}' cannot be set: {DECIDED[decided]}")
        yield name, dict(own or {})


def _slug(name: str) -> str:
    """A name that is safe as a folder's."""
    return re.sub(r"[^\w.+=()-]+", "-", name).strip("-.") or "_"
