"""Scores and exact nearest neighbours: `top_k` compares all vectors, for evaluation; galleries use `CertifiedSearch`.

One convention everywhere: a higher score means more alike. Vectors are unit length, so that the dot product is
the cosine and orders neighbours just as Euclidean distance does: |x - y|^2 = 2 - 2 x.y.
"""

from nearkin.similarity.certified import CertifiedSearch, Codes
from nearkin.similarity.exact import Metric, exact_scores, rerank
from nearkin.similarity.scores import score_blocks, top_k

__all__ = ["CertifiedSearch", "Codes", "Metric", "exact_scores", "rerank", "score_blocks", "top_k"]
