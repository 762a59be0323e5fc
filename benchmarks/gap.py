"""How well is the generalisation gap foretold, by what, and what does topology add? Every row committed.

    python benchmarks/gap.py --data ../shared/data --cifar CIFAR.npz --mlbench FOLDER --kernlab FOLDER --caret FOLDER \
        --weka FOLDER                                # train what is missing, judge
    python benchmarks/gap.py --only judge            # recompute all tables and the picture from results/gap_epochs.csv

Everything was chosen on the networks of gap.toml. Those of the rounds in gap_rounds.py, with other seeds and with data
sets and architectures of which the earlier ones have none, were trained or looked at after a round was fixed.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from pathlib import Path

import pandas as pd
from gap_images import prepared
from gap_judging import (
    choice,
    coverage,
    differences,
    errors,
    hardly_learned,
    over_architectures,
    predictions,
    together,
    topology_adds,
    unfitted,
    within,
)
from gap_report import draw, markdown, records
from gap_rounds import DIVERGED, PARTS, ROUNDS, parted
from machine import command_line, machine

from dnn_topology.analysis.feature_sets import BEST_METHOD, BEST_SET, SETTINGS
from dnn_topology.analysis.features import with_early
from dnn_topology.analysis.gap import GapModel, evaluate_gap
from dnn_topology.analysis.gap.methods import METHODS
from dnn_topology.analysis.gap.model import STUDY
from dnn_topology.cli import main as dnn_topology
from dnn_topology.store import read_table, write_bytes, write_json, write_table

HERE = Path(__file__).parent
KEPT = ("graph_split", *SETTINGS)  # columns that stay though they are the same throughout
DIGITS = 5  # of a number in the committed table


def main() -> None:
    """Carry out the study, then judge.

    Raises:
        SystemExit: A network failed.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("train", "judge"))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--cifar", type=Path, help="an npz with CIFAR-10; ours are JPEG copies of its images")
    parser.add_argument(
        "--mlbench", type=Path, help="folder `data` of R's package mlbench; it is read with `pip install pyreadr`"
    )
    parser.add_argument("--kernlab", type=Path, help="folder `data` of R's package kernlab")
    parser.add_argument("--caret", type=Path, help="folder `data` of R's package caret")
    parser.add_argument("--weka", type=Path, help="folder `examples` of Weka's data sets")
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="where networks are kept")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    table = options.out.resolve() / "gap_epochs.csv"
    if options.only != "judge":
        write_table(table, _trained(options, table))
    if options.only != "train":
        _judge(read_table(table, "train first"), options.out)


def _trained(options: argparse.Namespace, table: Path) -> pd.DataFrame:
    """Train what is missing, and return all rows, without columns that are the same throughout.

    The rows of a part that the table has are not measured again.

    Raises:
        SystemExit: A network failed, or images are missing.
    """
    work: Path = options.work.resolve()
    there = read_table(table, "") if table.exists() else pd.DataFrame({"part": []})
    missing = [part for part in PARTS if part not in set(there["part"])]
    if not missing:
        return there
    sources = {name: getattr(options, name) for name in ("cifar", "mlbench", "kernlab", "caret", "weka")}
    prepared(work / "gap_data", options.data.resolve(), **sources)
    os.chdir(work)  # which the grids name data sets from
    rows = [there] if len(there) else []
    for part in missing:
        words = ["study", str(HERE / f"{part}.toml"), "--jobs", str(options.jobs), "--save-path", str(work)]
        dnn_topology(words)
        rows.append(_rounded(pd.read_csv(work / f"study_{part}" / "epochs.csv").assign(part=part)))
        grid = pd.DataFrame(tomllib.loads((HERE / f"{part}.toml").read_text())["grid"])
        if set(grid["seed"]) - set(rows[-1]["seed"]) - DIVERGED:
            raise SystemExit("the study has networks that failed")
    whole = pd.concat(rows, ignore_index=True)
    if len(there):
        return whole[[*there]]
    return whole[[name for name in whole if whole[name].nunique(dropna=False) > 1 or name in KEPT]]


def _rounded(measured: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a study without early features, names without folders, and numbers with a few digits."""
    table = measured[[name for name in measured if not name.startswith("early_")]]
    table = table.assign(
        dataset=[Path(name).stem for name in table["dataset"].str.removeprefix("npz:")],
        net=table["net"].str.removeprefix("gap_nets:"),
    )
    numbers = table.select_dtypes("float").columns
    rounded = table[numbers].map(lambda value: float(f"{value:.{DIGITS}g}"))
    return table.assign(**{name: rounded[name] for name in numbers})


def _judge(epochs: pd.DataFrame, out: Path) -> None:
    """Recompute every table and the picture from the rows."""
    last = with_early(epochs).drop_duplicates("cell", keep="last").reset_index(drop=True)
    chosen_on, foretold = dict[str, pd.DataFrame](), list[pd.DataFrame]()
    tables: dict[str, list[pd.DataFrame]] = {
        "judged": [],
        "judged, differences": [],
        "judged, over new architectures": [],
        "judged, hardly learned": [],
        "judged, intervals": [],
        "judged, nothing fitted": [],
        "added to those judged": [],
    }
    for each in ROUNDS:
        known, asked = parted(last, each)
        chosen_on[each.grid] = choice(known)
        foretold.append(predictions(known, asked, each))
        tables["judged"].append(errors(foretold[-1], asked, each))
        tables["judged, differences"].append(differences(foretold[-1], asked, each))
        tables["judged, over new architectures"].append(over_architectures(foretold[-1], asked, each))
        tables["judged, hardly learned"].append(hardly_learned(foretold[-1], known, asked, each))
        tables["judged, intervals"].append(coverage(known, asked, each))
        tables["judged, nothing fitted"].append(unfitted(asked, each))
        tables["added to those judged"].append(topology_adds(known, asked, each))
    of_rounds = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    of_rounds["judged, together"] = together(pd.concat(foretold, ignore_index=True), last)
    of_rounds["judged, parts of the last round left out"] = within(parted(last, ROUNDS[-1])[1], ROUNDS[-1])
    evaluations = {method: evaluate_gap(last, method=method) for method in METHODS}
    results = {
        "command": command_line(),
        "machine": machine(),
        "rounds": [vars(each) | {"chosen on": len(parted(last, each)[0])} for each in ROUNDS],
        "choice": {name: records(table) for name, table in chosen_on.items()},
        **{name: records(table) for name, table in of_rounds.items()},
        "left out of all": {
            method: {name: records(getattr(one, name)) for name in ("scores", "differences", "added")}
            for method, one in evaluations.items()
        },
    }
    write_json(out / "gap.json", results)
    GapModel.fit(last, features=BEST_SET, method=BEST_METHOD).save(STUDY)  # which `gap predict` takes by default
    left_out = [one.predictions.assign(method=method) for method, one in evaluations.items()]
    write_table(out / "gap_predictions.csv", pd.concat([*foretold, *left_out]).round(2))
    text = markdown(last, chosen_on, of_rounds, evaluations)
    write_bytes(out / "gap.md", text.encode())
    draw(foretold[-1], last, evaluations[ROUNDS[-1].method], out / "gap.png")
    print(text)


if __name__ == "__main__":
    main()
