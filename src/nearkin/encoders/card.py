"""The model card: what the artefact is, how to use it, what it was trained on, how it was judged."""

from nearkin.encoders.encoder import Encoder


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
    text = f", {encoder.text.config.cell.upper()} text tower" if encoder.text is not None else ""
    lines = [
        "---\nlibrary_name: nearkin\ntags: [image-embeddings, metric-learning]\n---",
        f"# {encoder.fingerprint}",
        f"Image embeddings of {encoder.dim} numbers: {image.backbone}, {image.pooling} pooling{text}; "
        f"pictures of {pictures} pixels.",
        '```python\nimport nearkin\n\nencoder = nearkin.Encoder.from_pretrained("path/to/this/folder")\n'
        + "\n".join(use)
        + "\n```",
        f"## Training\n\n{trained_on}",
        f"## Evaluation\n\n{evaluation}",
    ]
    return "\n\n".join(lines) + "\n"
