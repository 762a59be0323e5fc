"""The command line, in process: what it prints, what it leaves, and how it answers mistakes."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dnn_topology
from dnn_topology import Diagrams, __version__
from dnn_topology.cli import NARROWEST, main
from dnn_topology.cli.spelling import our_words
from dnn_topology.homology.tables import epoch_lines, epoch_table

QUICK = ["--net", "lenet_300_100", "--dataset", "digits", "--data-subset", "0.2", "--n-inputs", "60", "--nproc", "1"]


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, by the original's spelling of the flags."""
    folder = tmp_path_factory.mktemp("done")
    words = (
        "run --net lenet_300_100 --dataset digits --trial 0 --lr 0.05 --n_epochs_train 2 --graph_type functional "
        f"--train 1 --build_graph 1 --n_inputs 60 --upper_dim 3 --save_path {folder}"
    )
    assert main([*words.split(), "--epochs_test", "1 2"]) == 0
    return folder


def complaint(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The one line that a wrong invocation prints."""
    assert main(args) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = [line for line in printed.err.splitlines() if not line.startswith(("training:", "topology:"))]
    return line


@pytest.mark.parametrize("words", [["run", "--help"], ["datasets"]])
def test_a_reader_that_has_enough_ends_a_command_without_a_word(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "dnn_topology", *words], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_run_by_the_originals_flags_leaves_tables_diagrams_and_pictures(done: Path) -> None:
    folder = done / "lenet_300_100_digits"
    assert sorted(path.name for path in folder.glob("*.out")) == [f"adj_epc{e}_trl0_0.3.bin.out" for e in (0, 1, 2)]
    table = pd.read_csv(folder / "trial0" / "eps0.3" / "topology.csv")
    assert sorted(set(table["epoch"])) == [0, 1, 2]
    assert sorted(set(table["dim"])) == [0, 1, 2]
    names = {path.name for path in (folder / "trial0" / "eps0.3").glob("*.png")}
    assert {"betti_curves_H1.png", "diagram_epoch2.png", "barcode_H1_epoch2.png", "history.png"} <= names
    assert len(pd.read_csv(folder / "trial0" / "history.csv")) == 3


@pytest.mark.parametrize("command", ["visualise", "visualize"])
def test_visualising_prints_life_and_midlife_and_writes_three_formats(
    command: str, done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"{command} --trial 0 --net lenet_300_100 --dataset digits --epochs 0 1 2 --dim 1 --save_path {done}"
    assert main(words.split()) == 0
    printed = capsys.readouterr().out
    table = pd.read_csv(done / "lenet_300_100_digits" / "trial0" / "eps0.3" / "topology.csv")
    for row in table[table["dim"] == 1].to_dict("records"):
        assert f"epoch {row['epoch']:>4}: life {row['life']:.4f}, midlife {row['midlife']:.4f}" in printed
    for form in ("png", "svg", "pdf"):
        assert f"betti_curves_H1.{form}" in printed


def test_visualising_takes_several_dimensions_and_the_density(done: Path) -> None:
    words = f"visualise --net lenet_300_100 --dataset digits --dim 0 1 --filtration density --save-path {done}"
    assert main([*words.split(), "--formats", "png"]) == 0
    for dim in (0, 1):
        assert (done / "lenet_300_100_digits" / "trial0" / "eps0.3" / f"betti_curves_H{dim}_density.png").exists()


def test_a_window_without_a_screen_is_explained(
    done: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dnn_topology.show.window.show_window", lambda draw: draw is None)
    words = f"visualise --net lenet_300_100 --dataset digits --show --formats png --save-path {done}"
    assert main(words.split()) == 0
    assert "there is no screen here" in capsys.readouterr().err


def test_the_originals_own_files_are_visualised(
    golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results" / "lenet_mnist"
    folder.mkdir(parents=True)
    for path in golden.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    words = "visualise --net lenet --dataset mnist --epochs 1 5 50 --dim 1 --essential drop --save_path results"
    assert main([*words.split(), "--formats", "png"]) == 0
    assert "epoch   50: life 0.0383, midlife 0.1777, 611 finite" in capsys.readouterr().out


def test_topology_measures_the_checkpoints_of_a_training(capsys: pytest.CaptureFixture[str]) -> None:
    training = ["train", *QUICK[:6], "--n-epochs-train", "1", "--save-every", "0", "--resume"]
    assert main(training) == 0
    assert main(["topology", *QUICK[:4], "--n-inputs", "60", "--max-dim", "1", "--jobs", "2"]) == 0
    table = pd.read_csv("results_dnn_topology/lenet_300_100_digits/trial0/eps0.3/topology.csv")
    assert sorted(set(table["epoch"])) == [0, 1]
    assert "history.csv" in capsys.readouterr().out


def test_sampled_neurons_give_a_table_of_intervals(tmp_path: Path) -> None:
    words = "run --no-report --n-epochs-train 0 --max-dim 1 --sample-nodes 30 --sample-method importance --bootstrap 3"
    assert main([*words.split(), *QUICK, "--save-path", str(tmp_path)]) == 0
    folder = tmp_path / "lenet_300_100_digits" / "trial0" / "eps0.3"
    assert set(pd.read_csv(folder / "topology.csv")["n_nodes"]) == {30}
    intervals = pd.read_csv(folder / "bootstrap.csv")
    assert set(intervals["n_draws"]) <= {0, 1, 2, 3}
    counted = intervals[intervals["n_draws"] > 0]
    assert (counted["lower"] <= counted["upper"]).all()


def test_existing_checkpoints_are_measured_without_training(done: Path) -> None:
    words = f"run --train 0 --net lenet_300_100 --dataset digits --epochs_test 2 --max_epsilon 0.2 --save_path {done}"
    assert main([*words.split(), "--n-inputs", "60", "--no-report"]) == 0
    assert (done / "lenet_300_100_digits" / "adj_epc2_trl0_0.2.bin.out").exists()


def test_training_alone_measures_nothing(tmp_path: Path) -> None:
    assert main(["run", *QUICK, "--n-epochs-train", "0", "--build-graph", "0"]) == 0
    assert not list(tmp_path.rglob("*.out"))


def test_a_config_file_gives_defaults_and_flags_win(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        'net = "lenet_300_100"\ndataset = "digits"\nlr = 0.3\nn_epochs_train = 1\nepochs_test = [0, 1]\n'
        "n-inputs = 60\nmax_dim = 1\nsave_every = 0\n"
    )
    assert main(["run", "--no-report", "--config", "c.toml", "--lr", "0.05"]) == 0
    history = pd.read_csv("results_dnn_topology/lenet_300_100_digits/trial0/history.csv")
    assert history["lr"].tolist() == [0.05, 0.05]
    assert main(["visualise", "--config", "c.toml", "--formats", "png"]) == 0


@pytest.mark.parametrize("command", ["nets", "datasets"])
def test_lists_name_what_there_is(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 0
    printed = capsys.readouterr().out
    assert all(
        word in printed for word in {"nets": ["lenet", "1820", "410"], "datasets": ["mnist-5k", "digits"]}[command]
    )


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"dnn-topology {__version__}"


@pytest.mark.parametrize("command", ["run", "train", "topology", "visualise", "nets", "datasets", "demo"])
def test_every_command_explains_itself_without_notes_for_programmers(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "Usage:" in printed
    assert "Raises" not in printed
    assert "Args" not in printed


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "--net", "lennet"], "unknown --net 'lennet': did you mean lenet"),
        (["run", "--dataset", "minst"], "unknown --dataset 'minst': did you mean mnist"),
        ([*["run", *QUICK], "--n-epochs-train", "0", "--layers", "fc9"], "no layer 'fc9': did you mean fc3"),
        (["run", "--epochs_test", "20"], "asks for epoch 20, but --n-epochs-train ends at 10: raise it"),
        (["run", "--epochs_test", "1 x"], 'unable to convert "x" into int'),
        (["run", "--max-dim", "1.5"], "--max-dim takes a whole number, such as 2, found '1.5'"),
        (["run", "--epochs-test", "0x10"], "--epochs-test takes a whole number, such as 2, found '0x10'"),
        (["run", "--n-epochs-train", "1e3"], "--n-epochs-train takes a whole number, such as 2, found '1e3'"),
        (["run", "--max-epsilon", "0.7"], "--max-epsilon must lie in (0, 0.5], found 0.7"),
        (["run", "--max-dim", "-1"], "--max-dim must be a whole number of at least 0, found -1"),
        (["run", "--max-dim", "2", "--upper-dim", "2"], "give one of the two"),
        (["run", "--permute-labels", "2"], "--permute-labels must lie in [0, 1], found 2"),
        (["run", "--binarize-labels", "10"], "must name a class of mnist-5k, 0 to 9"),
        (["run", "--lr", "0", *QUICK], "--lr must be positive"),
        (["run", "--device", "tpu"], "--device must name one such as 'cpu' or 'cuda:0', found 'tpu'"),
        (["run", "--nodes", "units"], 'Invalid value "units" for --nodes. Choose from: "unit"'),
        (["run", "--essential", "keep"], 'Invalid value "keep" for --essential'),
        (["run", "--filtration", "dense"], 'Choose from: "nominal", "density"'),
        (["run", "--lrr", "3"], "Unknown option: --lrr. Did you mean --lr? See `dnn-topology run --help`"),
        (["layers", "trial0"], "there is no place for ['trial0']. See `dnn-topology layers --help`"),
        (["run", "--lr", "much"], 'Invalid value for --lr: unable to convert "much" into float'),
        (["runn"], 'Unknown command "runn". Did you mean "run"?'),
        (["run", "--config", "none.toml"], "cannot read none.toml"),
        (["visualise"], "there are no diagrams of lenet on mnist-5k"),
        (["topology"], "is no folder of a run"),
        (["run", "--train", "0"], "is no folder of a run"),
    ],
)
def test_a_mistake_is_one_line_with_its_remedy(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in complaint(capsys, *args)


@pytest.mark.parametrize(
    ("content", "message"),
    [("lr = ", "is not TOML"), ("lrr = 1", "unknown setting 'lrr': did you mean lr"), ("\xff", "is not TOML")],
)
def test_a_broken_config_is_one_line(content: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.toml").write_text(content, encoding="latin-1")
    assert message in complaint(capsys, "run", "--config", "c.toml")


def test_other_settings_and_missing_epochs_are_one_line(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--net", "lenet_300_100", "--dataset", "digits", "--save-path", str(done)]
    assert "lr was 0.05 and is now 0.01" in complaint(capsys, "run", *place, "--n-epochs-train", "2")
    assert "epoch 9 of" in complaint(capsys, "visualise", *place, "--epochs", "9")
    assert "dimension 3 was not computed" in complaint(capsys, "visualise", *place, "--dim", "3")
    assert "unknown ending 'gif'" in complaint(capsys, "visualise", *place, "--formats", "gif")


def test_interrupting_is_said_and_has_the_shells_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dnn_topology.runs.training.run_training", interrupt)
    assert main(["train", *QUICK[:4]]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("dnn_topology.runs.training.run_training", fail)
    with pytest.raises(ZeroDivisionError):
        main(["train", *QUICK[:4]])


def test_list_flags_take_every_value_up_to_the_next_flag() -> None:
    assert our_words(["x", "--epochs", "0", "1, 5", "--dim", "1 2", "--net", "a"]) == [
        *["x", "--epochs", "0", "1", "5", "--dim", "1", "2", "--net", "a"]
    ]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("--n_epochs_train=5", "--n-epochs-train 5"),
        ("--upper_dim 3 --net a", "--max-dim 2 --net a"),
        ("--upper_dim 3 --max-dim 2", "--max-dim 2"),
        ("--dipha /bin/dipha", "--engine dipha:/bin/dipha"),
        ("--graph_type functional_persample", "--graph-type per-sample"),
        ("--partition hardcoded_from_structure", "--partition channels"),
        ("--select_nodes 1 --trial 0", "--select-nodes --trial 0"),
        ("--select_nodes 0 --trial 0", "--trial 0"),
        ("--resume 1", "--resume"),
        ("--save_path my_results_of_1", "--save-path my_results_of_1"),
        ("--binarize_labels -1 --layers fc_1 a.*", "--binarize-labels -1 --layers fc_1 a.*"),
    ],
)
def test_the_originals_spelling_is_understood(theirs: str, ours: str) -> None:
    assert our_words(theirs.split()) == ours.split()


def test_the_help_of_a_command_has_what_most_need_first_and_nothing_for_programmers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "--help"]) == 0
    printed = capsys.readouterr().out
    panels = re.findall(r"─ ([A-Z][\w ]+) ─", printed)
    assert panels[0] == "What most need"
    first = printed.split("─ The network")[0]
    assert 8 <= len(re.findall(r"│ --", first)) <= 14
    assert "Raises" not in printed


def test_help_and_a_typo_import_nothing_heavy() -> None:
    code = (
        "import sys; from dnn_topology.cli import main; main(['{}', '{}'])\n"
        "print([name for name in ('torch', 'numpy', 'pandas', 'scipy', 'gudhi', 'matplotlib') if name in sys.modules])"
    )
    for words in (("run", "--help"), ("--help", "--help"), ("rnu", "--lr"), ("run", "--lrr")):
        asked = subprocess.run([sys.executable, "-c", code.format(*words)], capture_output=True, text=True, check=True)
        assert asked.stdout.strip().splitlines()[-1] == "[]", words


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_help_can_be_printed_where_the_terminal_has_few_characters(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    words = [sys.executable, "-m", "dnn_topology", "run", "--help"]
    asked = subprocess.run(words, capture_output=True, env=environment)
    assert asked.returncode == 0, asked.stderr
    assert b"--max-epsilon" in asked.stdout


def test_a_terminal_without_greek_letters_gets_their_names(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr("sys.stdout", stream)
    run = done / "lenet_300_100_digits" / "trial0"
    assert main(["visualise", str(run), "--formats", "png", "--out", "pictures"]) == 0
    printed = stream.buffer.getvalue()
    assert b"in epsilon:" in printed
    assert b"?" not in printed


def test_train_0_and_no_train_contradict_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give one of the two" in complaint(capsys, "run", *QUICK, "--train", "0", "--no-train")
    assert "give one of the two" in complaint(capsys, "run", *QUICK, "--train", "1", "--no-train")


def test_epochs_that_kept_no_weights_are_trained_again_when_they_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["run", "--no-report", *QUICK, "--max-dim", "1", "--n-epochs-train"]
    assert main([*words, "3", "--save-every", "0", "--epochs-test", "3"]) == 0
    capsys.readouterr()
    assert main([*words, "4", "--save-every", "0", "--epochs-test", "1 4"]) == 0
    assert "no whole weights of epoch 1: training up to epoch 1 again" in capsys.readouterr().err
    table = pd.read_csv("results_dnn_topology/lenet_300_100_digits/trial0/eps0.3/topology.csv")
    assert sorted(set(table["epoch"])) == [0, 1, 3, 4]


def test_a_run_is_named_by_its_folder_wherever_it_lies(done: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(done / "lenet_300_100_digits" / "trial0", tmp_path / "elsewhere" / "mine")
    assert main(["visualise", str(copy), "--formats", "png", "--out", str(tmp_path / "pictures")]) == 0
    assert (tmp_path / "pictures" / "betti_curves_H1.png").exists()
    assert main(["topology", str(copy), "--n-inputs", "40", "--max-dim", "1", "--epochs", "1"]) == 0
    assert (copy / "eps0.3_n_inputs-40_max_dim-1" / "topology.csv").exists()
    assert main(["estimate", str(copy), "--n-inputs", "40"]) == 0


def test_a_checkpoint_opens_wherever_a_network_is_asked_for(done: Path, tmp_path: Path) -> None:
    weights = ["--checkpoint", str(done / "lenet_300_100_digits" / "trial0" / "checkpoints" / "epoch2.pt")]
    named = ["--net", "lenet_300_100", "--dataset", "digits"]
    assert main(["topology", *named, *weights, "--n-inputs", "60", "--save-path", str(tmp_path)]) == 0
    assert main(["layers", *named, *weights]) == 0
    assert main(["estimate", *named, *weights, "--n-inputs", "60"]) == 0
    theirs, ours = (folder / "lenet_300_100_digits" / "trial0" / "eps0.3" for folder in (done, tmp_path))
    assert Diagrams.load(ours / "epoch0.npz") == Diagrams.load(theirs / "epoch2.npz")


def test_what_cannot_be_measured_is_known_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *QUICK, "--layers", "zzz*", "--save-path", str(tmp_path / "new")]) == 2
    assert "no layer matches 'zzz*'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_what_is_measured_on_the_spot_has_its_data_where_the_training_had_them(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(done, tmp_path / "results")) / "lenet_300_100_digits" / "trial0"
    settings = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**settings, "dataset": "mnist"}))
    (folder / "eps0.3" / "epoch1.npz").unlink()
    words = ["visualise", str(folder), "--formats", "png", "--epochs", "0", "1", "--data-dir", str(tmp_path / "data")]
    (tmp_path / "data" / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(b"no images")
    assert main(words) == 2
    assert str(tmp_path / "data") in capsys.readouterr().err.splitlines()[-1]


def test_epochs_with_a_checkpoint_are_measured_on_the_spot_and_those_without_are_named(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(done, folder)
    measured = folder / "lenet_300_100_digits" / "trial0" / "eps0.3"
    expected = Diagrams.load(measured / "epoch1.npz")
    for path in (*measured.glob("epoch1*"), folder / "lenet_300_100_digits" / "adj_epc1_trl0_0.3.bin.out"):
        path.unlink()
    manifest = json.loads((measured / "manifest.json").read_text())
    del manifest["finished"]["epoch1"]
    (measured / "manifest.json").write_text(json.dumps(manifest))
    words = f"visualise --net lenet_300_100 --dataset digits --save_path {folder} --formats png --epochs"
    assert main([*words.split(), "0 1 3 7"]) == 0
    printed = capsys.readouterr()
    assert "measured on the spot: epoch 1, which" in printed.err
    assert "left out: epochs 3 7, which have neither diagrams nor a checkpoint" in printed.err
    assert [line.split(":")[0].split()[-1] for line in printed.out.splitlines() if "  epoch" in line] == ["0", "1"]
    assert Diagrams.load(measured / "epoch1.npz") == expected
    assert "epochs 3 7 of" in complaint(capsys, *words.split(), "3 7")


@pytest.mark.parametrize(("form", "start"), [("md", "|"), ("latex", r"\begin{tabular}"), ("csv", "epoch,life")])
def test_life_and_midlife_of_epochs_are_a_table_for_papers(
    form: str, start: str, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = done / "lenet_300_100_digits" / "trial0"
    assert main(["visualise", str(run), "--formats", "png", "--format", form, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(start)
    assert "betti_curves" not in printed.out  # which goes into a file
    assert str(tmp_path / "betti_curves_H1.png") in printed.err


def test_the_flags_of_the_original_s_training_are_understood(tmp_path: Path) -> None:
    theirs = "train --net lenet_300_100 --dataset digits --epochs 0 --subset 0.2 --train_batch_size 64 --resume 1"
    assert main([*theirs.split(), "--save_every", "1", "--save_path", str(tmp_path)]) == 0
    about = json.loads((tmp_path / "lenet_300_100_digits" / "trial0" / "settings.json").read_text())
    assert (about["data_subset"], about["batch_size"]) == (0.2, 64)
    assert our_words(["train", "--subset", "0"]) == ["train", "--data-subset", "1"]


def test_what_nothing_of_the_original_reads_is_accepted_as_it_stands_there_and_else_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "--kl 1: no program of the original reads it" in complaint(capsys, "run", *QUICK, "--kl", "1")
    assert "--scale log: no program" in complaint(capsys, "run", *QUICK, "--scale", "log")
    assert main(["run", *QUICK, "--no-train", "--kl", "0", "--scale", "linear", "--build_graph", "0"]) == 0


def test_thresholds_are_a_range_or_a_list_and_the_original_s_pair_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert our_words(["run", "--thresholds", "0.5:0.6:0.025", "0.9"])[2:] == [
        "0.5",
        "0.525",
        "0.55",
        "0.575",
        "0.6",
        "0.9",
    ]
    assert not capsys.readouterr().err
    assert our_words(["run", "--thresholds", "0.5 1.0"])[2:] == ["0.5", "1.0"]
    assert "the range that the original means is 0.5:1.0:0.025" in capsys.readouterr().err
    for wrong in ("0.5:1", "1:0.5:0.1", "0.5:1:0", "a:b:c", "0:1:1e-9"):
        assert "is no range start:stop:step" in complaint(capsys, "run", *QUICK, "--thresholds", wrong)


def test_no_line_says_nan_where_every_cavity_is_alive_at_the_end() -> None:
    alive = Diagrams([np.empty((0, 2)), np.array([[0.1, np.inf]])], 0.3)
    (line,) = epoch_lines(epoch_table({0: alive}), dim=1).splitlines()[1:]
    assert line == "  epoch    0: 0 finite and 1 alive at the end, at most 1 at once (ε 0.100)"


def test_help_ends_on_a_terminal_of_one_column() -> None:
    command = [sys.executable, "-m", "dnn_topology", "datasets", "--help"]  # a process that has printed nothing before
    ended = subprocess.run(
        command, env={**os.environ, "COLUMNS": "1"}, capture_output=True, encoding="utf-8", check=True
    )
    assert 0 < max(map(len, ended.stdout.splitlines())) <= NARROWEST


def test_the_file_of_public_names_is_read_in_whatever_encoding_the_machine_has() -> None:
    assert Path(dnn_topology.__file__).with_suffix(".pyi").read_bytes().isascii()
