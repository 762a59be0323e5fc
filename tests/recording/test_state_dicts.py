"""Files of weights are read whole, without running what is in them, or refused with a remedy that helps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.recording.state_dicts import load_weights
from tests.recording.test_checkpoint_forms import STATE, holds, net


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """The weights in two files of safetensors, and the index of both."""
    safetensors = pytest.importorskip("safetensors.torch")
    parts: dict[str, str] = {}
    for number, names in enumerate(([*STATE][:3], [*STATE][3:]), 1):
        part = f"model-{number:05}-of-00002.safetensors"
        safetensors.save_file({name: STATE[name] for name in names}, tmp_path / part)
        parts |= dict.fromkeys(names, part)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": parts}))
    return index


def test_weights_in_several_files_are_read_by_their_index(sharded: Path) -> None:
    model = net()
    load_weights(sharded, model)
    assert holds(model)


def test_one_of_several_files_is_refused_with_the_name_of_the_index(sharded: Path) -> None:
    with pytest.raises(DnnTopologyError, match=r"give their index model\.safetensors\.index\.json"):
        load_weights(sharded.with_name("model-00001-of-00002.safetensors"), net())


def test_an_index_reads_nothing_that_does_not_lie_beside_it(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"0.weight": "../elsewhere.safetensors"}}))
    with pytest.raises(DnnTopologyError, match="which is no file beside it"):
        load_weights(index, net())


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut off"])
def test_a_users_own_file_is_never_to_be_deleted(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(DnnTopologyError, match="give the whole file") as refusal:
        load_weights(path, net())
    assert "delete" not in str(refusal.value)


def test_a_whole_module_is_refused_with_the_name_of_what_it_holds(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 1), tmp_path / "w.pt")
    with pytest.raises(DnnTopologyError, match=r"torch.nn.modules.linear.Linear.*save the state dict alone"):
        load_weights(tmp_path / "w.pt", net())
