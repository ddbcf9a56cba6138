"""Whitening within classes: a projection in closed form, in which classes that training never saw lie apart better.

How pictures of one class differ (light, angle, background) tells nothing of their class. Directions in which features
vary much within the classes of the training are shrunk, for the pictures of unseen classes vary in these as well.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from nearkin.arrays import unit


@dataclass(frozen=True)
class WithinClasses:
    """How features vary within classes: C = sum_k v_k a_k a_k^T, the mean over pictures of (f - class mean)^2.

    Args:
        mean: of all features.
        variances: v_k, ascending.
        axes: a_k, as columns.
    """

    mean: Float[np.ndarray, " features"]
    variances: Float[np.ndarray, " features"]
    axes: Float[np.ndarray, "features features"]

    @staticmethod
    def of(features: Float[np.ndarray, "n features"], labels: Int[np.ndarray, " n"]) -> "WithinClasses":
        """That of features with class ids 0, 1, ...

        Example:
            >>> spread = WithinClasses.of(np.array([[0.0, 1.0], [0.0, 3.0], [5.0, 0.0]]), np.array([0, 0, 1]))
            >>> spread.variances.round(3).tolist()
            [0.0, 0.667]
        """
        counts = np.bincount(labels)
        means = np.zeros((len(counts), features.shape[1]))
        np.add.at(means, labels, features)
        means /= np.maximum(counts, 1)[:, None]
        differences = (features - means[labels]).astype(np.float32)
        variances, axes = np.linalg.eigh((differences.T @ differences / len(features)).astype(np.float64))
        return WithinClasses(features.mean(0), np.maximum(variances, 0), axes)

    def whitening(self, strength: float) -> Float[np.ndarray, "features features"]:
        """W = (s C + (1 - s) tr(C)/d I)^(-1/2): 0 leaves all directions alike, 1 gives all the same variance.

        Args:
            strength: s, 0 <= s < 1.

        Source: Hatch et al. 2006, "Within-class covariance normalization for SVM-based speaker recognition"; the
            shrinkage as in Friedman 1989, "Regularized discriminant analysis".
        """
        scale = strength * self.variances + (1 - strength) * max(float(self.variances.mean()), 1e-12)
        return (self.axes * scale**-0.5) @ self.axes.T


def whitened_projection(
    features: Float[np.ndarray, "n features"], spread: WithinClasses, *, strength: float, dim: int
) -> tuple[Float[np.ndarray, "dim features"], Float[np.ndarray, " dim"]]:
    """The projection (weight, bias) that whitens features and keeps the strongest axes of their unit vectors.

    Args:
        features: of the training pictures.
        spread: of these, within classes.
        strength: of the whitening.
        dim: numbers of an embedding; axes beyond those of the features are zero.

    Returns:
        Embeddings of the training pictures have a mean square length of 1.
    """
    whitening = spread.whitening(strength)
    white = unit(((features - spread.mean) @ whitening).astype(np.float32)).astype(np.float64)
    axes = np.linalg.eigh(white.T @ white)[1][:, ::-1].T
    weight = np.zeros((dim, features.shape[1]))
    weight[: len(axes)] = (axes @ whitening)[:dim]
    length = np.sqrt(np.square((features - spread.mean) @ weight.T).sum(1).mean())
    weight /= max(float(length), 1e-12)
    return weight, -weight @ spread.mean
