"""Does a network answer at a training input what the other training inputs would say of it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

WIDTH = 2.0  # the kernel is exp(-WIDTH · d² / median d²)
RIDGES = np.logspace(-3, 1, 9)
MOST_LANDMARKS = 1_000  # of up to so many inputs the regression is exact; of more it is Nyström's
DECIMALS = 8  # of the regression's values: copies of a point with other labels give ties, which round-off would decide
PART = 1_000  # points that are looked at together, so that as many classes as points take no matrix of their squares


def leave_one_out_features(answers: NDArray[np.int64], images: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Return the numbers of the set "leave-one-out" that are of the training inputs and their given labels.

    What a network does on inputs that it has not seen is hidden behind what it remembers. A second learner that never
    saw an input stands in for the truth there: kernel ridge regression on all of the other inputs, in closed form.

    Args:
        answers: (n_samples,), the class that the network predicts at each.
        images: (n_samples, …), all of the training inputs, or many of them: with fewer the regression knows less.
        labels: (n_samples,), the given classes.

    Returns:
        * ``loo_agreement``: the share of inputs at which the network answers the class that `left_out_classes` gives,
          in [0, 1]; near the test accuracy, above it by 5 points on average in our study;
        * ``loo_accuracy``: the share of inputs at which that class is the given one, in [0, 1].

        NaN of fewer than two inputs, if all are one point, or if one holds NaN or infinite values.

    Source:
        Found in this project: `benchmarks/gap.py`. That two networks agree on new inputs as often as one of them is
        right: Jiang et al., Assessing generalization of SGD via disagreement, ICLR 2022. Here the second is no network,
        and inputs are new to it alone.

    Example:
        >>> import torch
        >>> images = torch.cat([torch.linspace(-2, -1, 10), torch.linspace(1, 2, 10)])[:, None]
        >>> labels = (images[:, 0] > 0).long()
        >>> labels[4] = 1  # which is wrong
        >>> answers = (images[:, 0] > 0).long().numpy()  # of a network that has learned the rule, not the fault
        >>> leave_one_out_features(answers, images, labels)
        {'loo_agreement': 1.0, 'loo_accuracy': 0.95}
    """
    flat = images.cpu().flatten(1).resolve_conj().numpy()
    points = flat.astype(np.complex128).view(np.float64) if np.iscomplexobj(flat) else flat.astype(np.float64)
    given = labels.cpu().numpy()
    classes = left_out_classes(points, given)
    if classes is None:
        return {"loo_agreement": float("nan"), "loo_accuracy": float("nan")}
    return {"loo_agreement": float(np.mean(answers == classes)), "loo_accuracy": float(np.mean(given == classes))}


def left_out_classes(points: NDArray[np.float64], labels: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Return the class of each point by ridge regression on all of the others.

    With the kernel k(x, y) = exp(-2 · |x - y|² / m), m the median of squared distances, and one target per class, 1
    where a point was given it and 0 elsewhere. Fitted without point i, the regression says there
    (f_i - h_i · y_i) / (1 - h_i), where f = H y is the fit to all points and h the diagonal of H (Allen's PRESS). The
    ridge is that of nine, from 0.001 to 10, whose left-out classes are the given ones most often; the least of such.
    More than 1,000 points are mapped by Nyström's method on 1,000 of them, drawn by a fixed seed.

    Args:
        points: (n_points, n_features), float64.
        labels: (n_points,), the given classes.

    Returns:
        (n_points,), classes out of the given ones; the first of them where several are as likely, to eight decimals of
        the regression's values. None if all are one point, or not all are finite.

    Example:
        >>> points = np.array([-2.2, -2.1, -2, -1.9, -1.8, 1.8, 1.9, 2, 2.1, 2.2])[:, None]
        >>> left_out_classes(points, np.array([0, 0, 1, 0, 0, 1, 1, 1, 1, 1])).tolist()
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    """
    mapped = _mapped(points)
    if mapped is None:
        return None
    names, places = np.unique(labels, return_inverse=True)
    strengths, axes = np.linalg.eigh(mapped.T @ mapped)
    mapped = mapped @ axes
    along = np.zeros((len(names), len(axes)))
    np.add.at(along, places, mapped)
    best, most = places, -1.0
    for ridge in RIDGES:
        classes = _without_each(mapped, 1 / (np.maximum(strengths, 0) + ridge), along, places)
        if (right := float(np.mean(classes == places))) > most:
            best, most = classes, right
    return np.asarray(names[best], dtype=np.intp)


def _without_each(
    mapped: NDArray[np.float64], shrunk: NDArray[np.float64], along: NDArray[np.float64], places: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return (n_points,) the class of each point, by its place, of the regression on all others.

    Args:
        mapped: (n_points, n_axes), the points along the axes of their Gram matrix.
        shrunk: (n_axes,), 1 / (strength + ridge).
        along: (n_classes, n_axes), the sum of each class's points.
        places: (n_points,), the given classes.
    """
    slopes, classes = (along * shrunk).T, np.empty_like(places)
    for start in range(0, len(mapped), PART):
        some = slice(start, start + PART)
        own = mapped[some] ** 2 @ shrunk
        values = mapped[some] @ slopes
        values[np.arange(len(own)), places[some]] -= own
        values /= (1 - own)[:, None]
        classes[some] = values.round(DECIMALS, out=values).argmax(axis=1)
    return classes


def _mapped(points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return (n_points, n_landmarks) in which inner products are the kernel's values; None if there is no distance."""
    from scipy.spatial.distance import pdist
    from sklearn.kernel_approximation import Nystroem

    size = max(points.max(initial=0), -points.min(initial=0))
    if not np.isfinite(size):
        return None
    # Squares of very large numbers overflow, of very small ones vanish; far from 0 sklearn's distances are round-off.
    points = np.ldexp(points, -int(np.frexp(size)[1]))
    points -= points.mean(axis=0)
    drawn = np.random.default_rng(0).permutation(len(points))[:MOST_LANDMARKS]
    apart = pdist(points[drawn], "sqeuclidean")
    if not (apart > 0).any():
        return None
    middle = float(np.median(apart)) or float(np.median(apart[apart > 0]))
    kernel = Nystroem(kernel="rbf", gamma=WIDTH / middle, n_components=len(drawn), random_state=0)
    mapped: NDArray[np.float64] = kernel.fit_transform(points)
    return mapped
