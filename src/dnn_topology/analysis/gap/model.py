"""The model: gap ≈ c0 + c1·λ + c2·μ, or another function of other features, with an interval."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from dnn_topology import store
from dnn_topology._calls import checked, checked_fields
from dnn_topology._checks import DnnTopologyError, check_choice, shown
from dnn_topology._records import record_of
from dnn_topology.analysis.feature_sets import CATEGORY, EVERY, FEATURE_SETS, SETTINGS
from dnn_topology.analysis.gap.folds import fold_labels, left_out
from dnn_topology.analysis.gap.methods import METHODS, Learned
from dnn_topology.analysis.gap.table import (
    EARLY_EPOCH,
    PURITY_INPUT,
    check_shares,
    check_table,
    check_varying,
    design,
    expanded,
    hardly_learned,
    measured_columns,
    parts_of,
    source_column,
    usable,
    without_logarithm,
)

KIND = "dnn-topology gap model"
STUDY = Path(__file__).with_name("study.json")  # written by benchmarks/gap.py
MAKE_ONE = "make one with `dnn-topology gap fit`"
FAR = 0.1  # of the fitted range's width: beyond it a prediction is warned of


class OutsideRangeWarning(UserWarning):
    """A prediction for a network that is unlike those of the fit, or that has hardly learned where that matters."""


@dataclass(frozen=True)
class _GapFile:
    """What the file of a model says."""

    kind: str
    format: int
    features: str
    method: Literal["linear", "gaussian-process"]
    learned: dict[str, Any]
    ranges: dict[str, tuple[float, float]]
    errors: tuple[float, ...]
    n_networks: int
    measured: dict[str, str | int | float | bool | None]
    shares: tuple[float, ...] = ()


@checked_fields
@dataclass(frozen=True, repr=False)
class GapModel:
    """A model of the generalisation gap, in percentage points: 100 · (train accuracy - test accuracy).

    Attributes:
        features: The name of the set of features; see `analysis.features.FEATURE_SETS`.
        method: The name of the function; see `analysis.gap.methods.METHODS`.
        learned: The function.
        ranges: Feature → (lowest, highest) value in the fit.
        errors: |error| in points of every row of the fit, rising, each predicted without its network.
        n_networks: Number of networks in the fit.
        measured: How they were measured; others must be measured alike.
        shares: Of every such row, its share of the rows of its network; empty where each row is a network.
    """

    features: str
    method: str
    learned: Learned
    ranges: dict[str, tuple[float, float]]
    errors: tuple[float, ...]
    n_networks: int
    measured: dict[str, Any] = field(default_factory=dict)
    shares: tuple[float, ...] = ()

    def __repr__(self) -> str:
        """Return of what it foretells the gap, and how well it did without each network in turn."""
        error = f", off by {np.median(self.errors):.2g} points in the median" if self.errors else ""
        networks = f"{self.n_networks} network{'s' * (self.n_networks != 1)}"
        return f"GapModel({self.method} of {self.features}, fitted on {networks}{error})"

    @classmethod
    @checked
    def fit(cls, table: pd.DataFrame, *, features: str = "lambda-mu", method: str = "linear") -> GapModel:
        """Fit on standardised features.

        The default is the paper's. What foretold best in our study, and the default of the command `gap fit`, is
        "leave-one-out" by "gaussian-process": the training accuracy, and how often the network says at a training input
        what kernel ridge regression on all the others says.

        Args:
            table: One row per network, or per network (`cell`) and epoch: the columns of the features, and `gap`.
            features: The set of features.
            method: "linear": ridge regression, the ridge chosen by generalised cross-validation; or "gaussian-process",
                a smooth function, its smoothness chosen by marginal likelihood.

        Returns:
            The model.

        Raises:
            DnnTopologyError: Columns are missing, rows too few, a feature is constant, or the table was measured on
                test inputs or in several ways.

        Source:
            Corneanu et al., Computing the testing error without a testing set, CVPR 2020: a linear model of λ and μ.

        Example:
            >>> rng = np.random.default_rng(0)
            >>> table = pd.DataFrame({"life": rng.uniform(size=20), "midlife": rng.uniform(size=20)})
            >>> model = GapModel.fit(table.assign(gap=10 + 20 * table["life"]))
            >>> round(model.learned.intercept), round(model.learned.coefficients["life"])
            (10, 20)
        """
        columns = expanded(table, FEATURE_SETS[check_choice("feature set", features, FEATURE_SETS)])
        rows = usable(table, columns)
        check_varying(rows, columns)
        values, gaps = design(rows, columns), rows["gap"].to_numpy(dtype=np.float64)
        learned = METHODS[check_choice("method", method, METHODS)].learn(columns, values, gaps)
        labels = fold_labels(rows, "sample")
        errors = np.abs(left_out(rows, columns, labels, method=method) - gaps)
        rising, shares = np.argsort(errors, kind="stable"), 1 / np.bincount(labels)[labels]
        return cls(
            features,
            method,
            learned,
            dict(zip(columns, zip(values.min(axis=0).tolist(), values.max(axis=0).tolist(), strict=True), strict=True)),
            tuple(errors[rising].tolist()),
            len(np.unique(labels)),
            {name: rows[name].tolist()[0] for name in measured_columns(columns) if name in rows},
            () if (shares == 1).all() else tuple(shares[rising].tolist()),
        )

    @checked
    def predict(self, table: pd.DataFrame | Mapping[str, float], *, confidence: float = 0.9) -> pd.DataFrame:
        """Predict the gap of other networks, measured as those of the fit were.

        The interval is the prediction plus and minus the error that this share of the fit's networks, and one that is
        yet to come, kept to when they were left out (the jackknife; every row counts as its share of its network). It
        holds for networks drawn as those were, and for no others. From n networks no more is known than n / (n + 1).

        Args:
            table: The columns of the features, one row per network, or what `gap_features` gives of one; with
                `train_accuracy`, the test accuracy is foretold too.
            confidence: Share of networks whose gap should lie in the interval.

        Returns:
            The rows' `gap`, `lower`, `upper`, in points; `test_accuracy`, `test_accuracy_lower`, `test_accuracy_upper`,
            in [0, 1]; `outside`, how far beyond the fitted range the farthest feature lies, in widths of that range.

        Raises:
            DnnTopologyError: Columns are missing, a feature is not known, networks were measured otherwise, or the fit
                has too few of them for this confidence.

        Warns:
            OutsideRangeWarning: A feature lies more than a tenth of the fitted range's width outside of it; or the
                model looks at purity, and a network has hardly learned: its `train_accuracy` is below `purity_input`,
                the share of neighbouring inputs that have one label.
        """
        if not 0 < confidence < 1:
            raise DnnTopologyError(f"confidence must lie between 0 and 1, found {confidence}")
        columns = self.learned.columns
        table = pd.DataFrame([table]) if isinstance(table, Mapping) else table
        check_table(table, columns)
        check_shares(table)
        self._check_measured(table)
        values = design(table, columns)
        if not np.isfinite(values).all():
            row, place = np.argwhere(~np.isfinite(values))[0]
            if "graph" in parts_of([columns[place]]):
                why = (
                    "the network has no such cavities, or its graph no edge; take other layers=, or a larger "
                    "max_epsilon for fit and prediction, or train further"
                )
            else:
                why = (
                    "it was left out, an input holds NaN or infinite values, or all inputs are one point or a layer "
                    "makes them one; look at the inputs, or train further"
                )
            raise DnnTopologyError(f"feature {columns[place]!r} of row {row} is not known: {why}")
        gaps = self.learned.gaps_of(values)
        margin = self._margin(confidence)
        foretold = pd.DataFrame({"gap": gaps, "lower": gaps - margin, "upper": gaps + margin}, index=table.index)
        if "train_accuracy" in table:
            for name, gap in (("", "gap"), ("_lower", "upper"), ("_upper", "lower")):
                foretold[f"test_accuracy{name}"] = (table["train_accuracy"] - foretold[gap] / 100).clip(0, 1)
        foretold["outside"] = np.maximum(self._outside(values), self._unknown_categories(values))
        if (foretold["outside"] > FAR).any():
            farthest = foretold["outside"].to_numpy().argmax()
            warnings.warn(
                f"{(foretold['outside'] > FAR).sum()} of {len(foretold)} networks are unlike those of the fit (row "
                f"{farthest}: {foretold['outside'].iloc[farthest]:.1f} widths of the fitted range outside of it): "
                "their gaps are extrapolated, and the interval does not hold",
                OutsideRangeWarning,
                stacklevel=2,
            )
        if PURITY_INPUT in columns and (hardly := hardly_learned(table)).any():
            first = int(hardly.argmax())
            accuracy, share = table["train_accuracy"].iloc[first], table["purity_input"].iloc[first]
            warnings.warn(
                f"{hardly.sum()} of {len(foretold)} networks have hardly learned (row {first}: training accuracy "
                f"{accuracy:.2f}, below the share {share:.2f} of neighbouring training inputs that have one label): "
                "their gaps may be foretold badly, beyond the interval; train further",
                OutsideRangeWarning,
                stacklevel=2,
            )
        return foretold

    def _margin(self, confidence: float) -> float:
        """Return the error that this share of networks keeps to.

        Raises:
            DnnTopologyError: There are too few networks to say.
        """
        reached = np.cumsum(self.shares or np.ones(len(self.errors))) / (self.n_networks + 1)
        enough = reached >= confidence - 1e-9
        if not enough.any():
            needed = math.ceil(confidence / (1 - confidence) - 1e-9)
            raise DnnTopologyError(
                f"confidence={confidence:g} takes {needed} networks, and the model was fitted on {self.n_networks}, "
                f"which say no more than {math.floor(1000 * self.n_networks / (self.n_networks + 1)) / 1000:g}: lower "
                "it, or fit on more"
            )
        return self.errors[int(enough.argmax())]

    @checked
    def save(self, path: str | Path) -> None:
        """Write the model as readable JSON, in one step.

        Raises:
            DnnTopologyError: The file cannot be written.
        """
        store.write_json(Path(path), {"kind": KIND, "format": store.FORMAT, **asdict(self)})

    @classmethod
    @checked
    def load(cls, path: str | Path, *, features: str | None = None) -> GapModel:
        """Read what `save` wrote.

        Args:
            path: The file.
            features: The set of features that it must be of; None for any.

        Raises:
            DnnTopologyError: The file is missing, damaged, of another kind, version or set of features.
        """
        path = Path(path)
        stamp = store.read_json(path, remedy=MAKE_ONE)
        if stamp.get("kind") != KIND:
            raise DnnTopologyError(f"{path} is no model of the gap: {MAKE_ONE}")
        if stamp.get("format") != store.FORMAT:
            raise DnnTopologyError(
                f"{path} has format {shown(stamp.get('format'))}, and this version reads {store.FORMAT}: fit it again"
            )
        try:
            content = record_of(stamp, _GapFile)
            learned = record_of(content.learned, METHODS[content.method], name="learned")
            about = {
                name: getattr(content, name) for name in ("features", "method", "n_networks", "measured", "shares")
            }
            model = cls(learned=learned, ranges=content.ranges, errors=content.errors, **about)
            model._check_whole()
        except DnnTopologyError as error:
            raise DnnTopologyError(f"{path} is damaged: {error}; fit it again") from error
        if features not in {None, model.features}:
            raise DnnTopologyError(f"{path} is a model of the features {model.features!r}, not {features!r}")
        return model

    @classmethod
    def of_study(cls) -> GapModel:
        """Return the model of this project's study, for who has no networks to fit one on.

        It is "leave-one-out" by a Gaussian process over 376 small networks of 24 architectures on twelve data sets, of
        300 to 1,200 training inputs, 20 epochs, up to half of their labels permuted. docs/reproduction.md has how far
        it went on networks that are none of these.

        Example:
            >>> foretold = GapModel.of_study().predict({"train_accuracy": 0.9, "loo_agreement": 0.8})
            >>> bool(0 < foretold["gap"].iloc[0] < 30)
            True
        """
        return cls.load(STUDY)

    def _check_whole(self) -> None:
        """Check that the parts of a model that was read fit together.

        Raises:
            DnnTopologyError: They do not.
        """
        columns = FEATURE_SETS[check_choice("feature set", self.features, FEATURE_SETS)]
        own = tuple(
            dict.fromkeys(source_column(name) + EVERY if CATEGORY in name else name for name in self.learned.columns)
        )
        varying = [name for name in columns if name in own or name not in SETTINGS]
        # A model from before losses entered as logarithms looks at them as they are, and foretells what it did.
        same = [*map(without_logarithm, own)] == [*map(without_logarithm, varying)]
        if self.learned.columns != tuple(self.ranges) or not same:
            raise DnnTopologyError(f"its parts are not of the features {', '.join(columns)}")
        if not all(low < high for low, high in self.ranges.values()):
            raise DnnTopologyError("ranges must be (lowest, highest) of each feature")
        if not self.errors or self.errors[0] < 0 or [*self.errors] != sorted(self.errors):
            raise DnnTopologyError("errors must rise from 0 or more")
        if self.shares and (len(self.shares) != len(self.errors) or not all(0 < each <= 1 for each in self.shares)):
            raise DnnTopologyError("shares must be one per error, above 0 and at most 1")
        for name in {"n_inputs", "draws", EARLY_EPOCH} & {*self.measured}:
            if not isinstance(count := self.measured[name], (int, float)) or count < (name != EARLY_EPOCH) or count % 1:
                raise DnnTopologyError(f"measured must give {name} as a whole number, found {shown(count)}")
        middle = np.array([*self.ranges.values()], dtype=np.float64).mean(axis=1)
        with np.errstate(all="ignore"):
            gaps = self.learned.gaps_of(middle[None])
        if not np.isfinite(gaps).all():
            raise DnnTopologyError("it foretells no number amid its own networks")

    def _outside(self, values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return (n_rows,) how far the farthest feature lies outside the fitted range, in widths of that."""
        low, high = np.array([*self.ranges.values()]).T
        beyond: np.ndarray[Any, np.dtype[np.float64]] = np.maximum(np.maximum(low - values, values - high), 0)
        return np.asarray((beyond / (high - low)).max(axis=1))

    def _unknown_categories(self, values: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
        """Return (n_rows,) 1 where a network or a data set is none of the fit's, where the model looks at them."""
        columns = self.learned.columns
        sources = dict.fromkeys(source_column(name) for name in columns if CATEGORY in name)
        members = [[name.startswith(source + CATEGORY) for name in columns] for source in sources]
        unknown = [~values[:, of_source].any(axis=1) for of_source in members]
        return np.any(unknown, axis=0).astype(np.float64) if unknown else 0.0

    def _check_measured(self, table: pd.DataFrame) -> None:
        """Check that networks were measured as those of the fit.

        Raises:
            DnnTopologyError: They were not.
        """
        for name, value in self.measured.items():
            if name in table and (measured := table[name].iloc[0]) != value:
                raise DnnTopologyError(
                    f"the model was fitted on networks measured with {name} = {value}, and these with {measured}: "
                    "measure them alike"
                )
