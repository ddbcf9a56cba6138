"""What a comparison decides itself, so that it is no option of one; and what it compares by default."""

# Setting -> what to say instead.
DECIDED = {
    "loss": "name losses",
    "seed": "say how many seeds",
    "val_fraction": "say how many folds",
    "captions": "losses on labels are compared",
}

# Settings that do nothing without captions.
OF_CAPTIONS = (
    "caption_columns",
    "caption_loss",
    "caption_loss_options",
    "caption_weight",
    "text_tower",
    "text_width",
    "text_dropout",
    "vocabulary",
)

# One loss of each kind: classifiers, proxies, pairs, triplets, all positives at once.
DEFAULT_LOSSES = ("softmax", "arcface", "proxy-anchor", "contrastive", "multi-similarity", "triplet", "supcon")
DEFAULT_SEEDS = 3
DEFAULT_FOLDS = 5
