"""The model card: what the artefact is, how to use it, what it was trained on, how it was evaluated, its thresholds."""

import re

from nearkin.calibration.decisions import Calibration
from nearkin.calibration.weighting import described
from nearkin.encoders.encoder import Encoder
from nearkin.intervals.figure import described_interval


def model_card(encoder: Encoder, *, trained_on: str, evaluation: str) -> str:
    """The card in Markdown, with the header that the Hugging Face Hub reads.

    Args:
        encoder: what the card is of.
        trained_on: a sentence on the training.
        evaluation: the report, in Markdown.
    """
    image, preprocessing = encoder.image.config, encoder.preprocessing
    pictures = f"{preprocessing.height} x {preprocessing.width} x {preprocessing.channels}"
    use = ['encoder.embed_images(["a.jpg", "b.jpg"])  # unit vectors [2, ' + f"{encoder.dim}]"]
    use += ['encoder.embed_texts(["a red heart"])  # in the same space'] if encoder.has_text else []
    if encoder.attribute_tower is not None:
        names = [column.name for column in encoder.attribute_tower.attributes.columns]
        use += [f"encoder.embed_attributes(rows)  # mappings with {', '.join(names)}, in the same space"]
    text = f", text tower {encoder.text_tower}" if encoder.text is not None else ""
    attributes = f", a tower for {len(encoder.attributes):,} attributes" if encoder.has_attributes else ""
    lines = [
        "---\nlibrary_name: nearkin\ntags: [image-embeddings, metric-learning]\n---",
        f"# {encoder.fingerprint}",
        f"Image embeddings of {encoder.dim} numbers: {image.backbone}, {image.pooling} pooling{text}{attributes}; "
        f"pictures of {pictures} pixels.",
        '```python\nimport nearkin\n\nencoder = nearkin.Encoder.from_pretrained("path/to/this/folder")\n'
        + "\n".join(use)
        + "\n```",
        f"## Training\n\n{trained_on}",
        f"## Evaluation\n\n{evaluation}",
    ]
    if encoder.calibration is not None:
        lines.append(thresholds_section(encoder.calibration))
    return "\n\n".join(lines) + "\n"


def with_section(card: str, section: str) -> str:
    """The card with this section in the place of the one with the same heading, or at its end.

    Example:
        >>> with_section("# a\\n\\n## B\\n\\nold\\n\\n## C\\n\\nkept\\n", "## B\\n\\nnew")
        '# a\\n\\n## B\\n\\nnew\\n\\n## C\\n\\nkept\\n'
    """
    heading = section.partition("\n")[0]
    parts = re.split(r"(?m)^(?=## )", card)
    position = next((number for number, part in enumerate(parts) if part.partition("\n")[0] == heading), len(parts))
    parts[position : position + 1] = [section]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def thresholds_section(calibration: Calibration) -> str:
    """The thresholds and their error rates, in Markdown."""
    rows = [
        f"| {limit.far:g} | {limit.score:.3f} [{limit.low:.3f}, {limit.high:.3f}] | "
        f"{limit.far_low:.2g} to {limit.far_high:.2g} | {100 * limit.tar:.1f} % |"
        for limit in map(calibration.threshold, calibration.fars)
    ]
    return "\n".join(
        [
            "## Thresholds",
            "",
            f"Two pictures show the same if the cosine of their embeddings reaches the threshold; calibrated on "
            f"{calibration.source}, {calibration.counts['classes']:,} classes. {described(calibration.weighting)} "
            f"{described_interval(calibration.interval)}",
            "",
            "| false accept rate | threshold | false accepts there | true accepts there |",
            "|---|---|---|---|",
            *rows,
            "",
            f'Probability of "same": {calibration.map.method} regression, expected calibration error '
            f"{100 * calibration.map.ece:.1f} % on classes it was not fitted on, half of all pairs being the same.",
            *(f"\n{note}" for note in calibration.notes),
        ]
    )
