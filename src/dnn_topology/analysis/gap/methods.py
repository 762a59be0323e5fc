"""The functions of the features that a model of the gap can be: a line, or something smooth."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dnn_topology._checks import DnnTopologyError, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_NETWORKS = 3000  # of a Gaussian process, whose time grows with their cube
STRENGTHS = np.logspace(-4, 2, 13)  # of the ridge; the fit chooses among them without looking at what is left out


class Learned(Protocol):
    """What a method learned, in numbers that JSON can hold."""

    @classmethod
    def learn(cls, columns: Sequence[str], values: NDArray[np.float64], gaps: NDArray[np.float64]) -> Learned:
        """Fit to features (n_rows, n_columns) and gaps (n_rows,) in points."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The features."""

    def gaps_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the gaps (n_rows,) of features (n_rows, n_columns)."""


@dataclass(frozen=True)
class Linear:
    """gap = intercept + Σ coefficient · feature, by ridge regression.

    Attributes:
        intercept: In points.
        coefficients: Feature → points per unit of it.
    """

    intercept: float
    coefficients: dict[str, float]

    @classmethod
    def learn(cls, columns: Sequence[str], values: NDArray[np.float64], gaps: NDArray[np.float64]) -> Linear:
        """Fit to features (n_rows, n_columns) and gaps (n_rows,) in points."""
        scaler, ridge = (step for _, step in fitted("linear", values, gaps).steps)
        slopes = ridge.coef_ / scaler.scale_
        intercept = float(ridge.intercept_ - slopes @ scaler.mean_)
        return cls(intercept, dict(zip(columns, slopes.tolist(), strict=True)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The features."""
        return tuple(self.coefficients)

    def gaps_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the gaps (n_rows,) of features (n_rows, n_columns)."""
        gaps: NDArray[np.float64] = self.intercept + values @ np.array([*self.coefficients.values()])
        return gaps

    def __str__(self) -> str:
        terms = " ".join(f"{slope:+.4g}·{name}" for name, slope in self.coefficients.items())
        return f"gap ≈ {self.intercept:.4g} {terms}"


@dataclass(frozen=True)
class GaussianProcess:
    """A smooth function that is near the known networks' gaps, and near their mean far from all of them.

    Attributes:
        amplitude: Variance of the function, in variances of the known gaps.
        length: Over which distance it varies, in standard deviations of the features.
        noise: Variance of what features cannot say, in variances of the known gaps.
        networks: Feature → its value in every known network.
        gaps: Their gaps, in points.
    """

    amplitude: float
    length: float
    noise: float
    networks: dict[str, list[float]]
    gaps: list[float]

    def __post_init__(self) -> None:
        n = len(self.gaps)
        if not 2 <= n <= MOST_NETWORKS or any(len(values) != n for values in self.networks.values()):
            raise DnnTopologyError(
                f"a Gaussian process is over 2 to {MOST_NETWORKS} networks, each with every feature and a gap, found "
                f"{n}: take method 'linear' for more"
            )
        for name in ("amplitude", "length", "noise"):
            value = getattr(self, name)
            if not 1e-6 < value < 1e6:
                raise DnnTopologyError(f"{name} of a Gaussian process must be positive, found {shown(value)}")

    @classmethod
    def learn(cls, columns: Sequence[str], values: NDArray[np.float64], gaps: NDArray[np.float64]) -> GaussianProcess:
        """Fit to features (n_rows, n_columns) and gaps (n_rows,) in points."""
        kernel = fitted("gaussian-process", values, gaps)[-1].kernel_
        amplitude, length, noise = np.exp(kernel.theta).tolist()
        return cls(amplitude, length, noise, dict(zip(columns, values.T.tolist(), strict=True)), gaps.tolist())

    @property
    def columns(self) -> tuple[str, ...]:
        """The features."""
        return tuple(self.networks)

    def gaps_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the gaps (n_rows,) of features (n_rows, n_columns)."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        kernel = _kernel(self.amplitude, self.length, self.noise)
        process = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True)
        known = np.array([*self.networks.values()], dtype=np.float64).T
        gaps: NDArray[np.float64] = make_pipeline(StandardScaler(), process).fit(known, self.gaps).predict(values)
        return gaps

    def __str__(self) -> str:
        return (
            f"gap ≈ a Gaussian process over {', '.join(self.columns)}: it varies over {self.length:.2g} standard "
            f"deviations, and {self.noise / (self.noise + self.amplitude):.0%} of the variance is noise"
        )


METHODS: dict[str, type[Linear] | type[GaussianProcess]] = {"linear": Linear, "gaussian-process": GaussianProcess}


def estimator(method: str) -> Any:
    """Return what a method fits, on standardised features."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if method == "linear":
        return make_pipeline(StandardScaler(), RidgeCV(alphas=STRENGTHS))
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(_kernel(1.0, 2.0, 0.1), normalize_y=True))


def fitted(method: str, values: NDArray[np.float64], gaps: NDArray[np.float64]) -> Any:
    """Return the estimator of a method, fitted; without features it is the mean."""
    from sklearn.dummy import DummyRegressor
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # of a kernel that is best at a bound: the features say nothing, or nothing is noise
        warnings.simplefilter("ignore", ConvergenceWarning)
        return (estimator(method) if values.shape[1] else DummyRegressor()).fit(values, gaps)


def _kernel(amplitude: float, length: float, noise: float) -> Any:
    """Return the covariance of two networks' gaps."""
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    smooth = ConstantKernel(amplitude, (1e-3, 1e3)) * RBF(length, (0.1, 100))
    return smooth + WhiteKernel(noise, (1e-3, 10))
