"""What detectors said of attacked inputs, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from dnn_topology.analysis.adversarial.detection import KINDS, NEGATIVES, Scores, compare_detectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

Attack = tuple[str, float | None]  # a method and its strength


@dataclass(frozen=True, eq=False)
class DetectResults:
    """What a detection found.

    Attributes:
        clean: Arrays of the clean inputs: scores, `place` in the test data, `label`, and the curves' scales.
        made: Attack and strength → arrays: scores of the noise and of the adversarial inputs, `fooled`, predictions
            and sizes.
    """

    clean: Mapping[str, NDArray[Any]]
    made: Mapping[Attack, Mapping[str, NDArray[Any]]]

    def scores(self, attack: Attack) -> dict[str, Scores]:
        """Return the scores of clean, noisy and adversarial inputs."""
        parts: dict[str, dict[str, NDArray[Any]]] = {}
        for name, values in self.made[attack].items():
            kind, _, rest = name.partition("/")
            if kind in KINDS:
                parts.setdefault(kind, {})[rest] = values
        # an older file has fewer controls
        return {
            kind: Scores.of_arrays({"clean": self.clean, **parts}[kind]) for kind in KINDS if kind in {"clean", *parts}
        }

    def table(self, *, resamples: int = 500, detectors: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one row per attack, strength, detector, pair of kinds and choice of inputs; see `compare_detectors`.

        Args:
            resamples: Of the bootstrap.
            detectors: Which of them; None for all.
        """
        tables = []
        for attack, arrays in self.made.items():
            compared = compare_detectors(self.scores(attack), fooled=arrays["fooled"], resamples=resamples)
            compared.insert(0, "strength", attack[1])
            compared.insert(0, "attack", attack[0])
            tables.append(compared)
        table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        return table if detectors is None else table[table["detector"].isin([*detectors])]

    def attacks(self) -> pd.DataFrame:
        """Return one row per attack and strength: how often it fools, and mean sizes, in pixels."""
        rows = []
        for (method, strength), arrays in self.made.items():
            sizes = {
                name.removeprefix("size/"): float(values.mean()) for name, values in arrays.items() if "size/" in name
            }
            wrong = float((arrays["predicted_noise"] != self.clean["label"]).mean())
            rows.append(
                {
                    "attack": method,
                    "strength": strength,
                    "n": len(arrays["fooled"]),
                    "fooled": float(arrays["fooled"].mean()),
                    "fooled_by_noise": wrong,
                    **sizes,
                }
            )
        return pd.DataFrame(rows)

    def by_input(self) -> pd.DataFrame:
        """Return every score of every input: one row per input and kind."""
        tables = []
        for attack, arrays in self.made.items():
            for kind, scores in self.scores(attack).items():
                about = {"attack": attack[0], "strength": attack[1], "kind": kind}
                known = {"place": self.clean["place"], "label": self.clean["label"]}
                if kind != "clean":
                    known["predicted"] = arrays[f"predicted_{kind}"]
                else:
                    known["predicted"] = self.clean["label"]
                tables.append(pd.DataFrame({**known, **scores.single}).assign(**cast(Any, about)))
        table = pd.concat(tables, ignore_index=True)
        first = ["attack", "strength", "kind", "place", "label", "predicted"]
        return table[[*first, *(name for name in table if name not in first)]]

    def report(self) -> pd.DataFrame:
        """Return what matters most, as text: AUROC and false alarms of every detector and attack, over all inputs.

        Returns:
            One row per attack, strength and detector; numbers with their 95 % intervals.
        """
        columns = {
            "AUROC clean/adversarial": ("clean", "adversarial", "auroc"),
            "FPR at 95 %": ("clean", "adversarial", "fpr95"),
            **{f"AUROC {control}/adversarial": (control, "adversarial", "auroc") for control in NEGATIVES[1:]},
        }
        table = self.table()
        everyone = table[table["inputs"] == "all"].set_index(["attack", "detector", "negative", "positive"])
        rows = []
        for (attack, strength), arrays in self.made.items():
            of_attack = everyone.loc[attack]
            if strength is not None:
                of_attack = of_attack[of_attack["strength"] == strength]
            about = {"attack": attack, "strength": "" if strength is None else f"{strength:g}"}
            about["fooled"] = f"{arrays['fooled'].mean():.0%}"
            for detector in of_attack.index.unique("detector"):
                numbers = {
                    name: _interval(of_attack.loc[cast(Any, (detector, negative, positive))], score)
                    for name, (negative, positive, score) in columns.items()
                    if (detector, negative, positive) in of_attack.index
                }
                rows.append({**about, "detector": detector, **numbers})
        return pd.DataFrame(rows)

    @staticmethod
    def name(attack: Attack) -> str:
        """Return an attack and its strength as part of a file's name."""
        method, strength = attack
        return method if strength is None else f"{method}_{strength:g}"


def _interval(row: pd.Series[Any], name: str) -> str:
    """Return a number with its interval, as text."""
    return f"{row[name]:.3f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"
