"""Classes by what a table says of them: embedded, and which of them an encoder was trained on."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from nearkin.arrays import unit
from nearkin.data.attributes import ClassTable, scaled_attributes
from nearkin.encoders.embedder import AttributeEmbedder, Embedder
from nearkin.errors import InvalidInput
from nearkin.evaluation.leakage import Checks
from nearkin.evaluation.protocol import Described
from nearkin.evaluation.settings import EvaluationSettings


def describe(table: ClassTable, labels: Sequence[str | None], encoder: Embedder, checks: Checks) -> Described:
    """What is known of the classes of a table, as this encoder was trained.

    Args:
        table: with a row for each class of the pictures, and maybe others.
        labels: of the pictures.
        encoder: says which classes it was trained on, and which attributes it knows.
        checks: say which pictures it was trained on.
    """
    names = list(table.rows)
    row = {name: number for number, name in enumerate(names)}
    hashes = getattr(encoder, "training_hashes", None)
    trained = np.zeros(len(labels), dtype=bool)
    trained[list(checks.seen_pictures)] = True
    attributes = None
    if isinstance(encoder, AttributeEmbedder) and encoder.attributes:
        attributes = scaled_attributes(table.of(names, encoder.attribute_columns))
    return Described(
        np.array([-1 if label is None else row[label] for label in labels], dtype=np.int64),
        np.zeros(len(names), dtype=bool) if hashes is None else hashes.knows_classes(names),
        trained,
        attributes,
        seen_is_known=hashes is not None,
    )


def embed_classes(
    encoder: Embedder, table: ClassTable, settings: EvaluationSettings
) -> dict[str, Float[np.ndarray, "classes dim"]]:
    """The classes of a table, by each description that this encoder embeds.

    Raises:
        InvalidInput: the encoder embeds none of them.
    """
    names = list(table.rows)
    columns = list(settings.options_for("zero_shot").class_words)
    found = {}
    if isinstance(encoder, AttributeEmbedder) and encoder.attributes:
        rows = table.of(names, encoder.attribute_columns)
        found["attributes"] = encoder.embed_attributes(rows, unknown_words=True)
    if encoder.has_text and columns:
        found["words"] = _embed_words(encoder, [[str(row[column]) for column in columns] for row in table.of(names)])
    if not found:
        wanted = "words: name their columns (--class-words)" if encoder.has_text else "attributes or words"
        raise InvalidInput(f"encoder {encoder.fingerprint} embeds no attributes: zero-shot needs {wanted}")
    return found


def _embed_words(encoder: Embedder, wordings: Sequence[Sequence[str]]) -> Float[np.ndarray, "classes dim"]:
    """Several wordings of each class, averaged."""
    vectors = encoder.embed_texts([text for several in wordings for text in several])
    return unit(vectors.reshape(len(wordings), -1, encoder.dim).mean(axis=1))
