from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dnn_topology._checks import DnnTopologyError
from dnn_topology.analysis.adversarial.detection import fit_detectors
from dnn_topology.analysis.adversarial.squeezing import Squeezing, median, one_bit, squeezed_inputs

MEAN, STD = 0.2, 0.4


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 3)).eval()


def images(n: int, seed: int = 0) -> torch.Tensor:
    """Images in [0, 1], normalised."""
    return (torch.rand(n, 1, 6, 6, generator=torch.Generator().manual_seed(seed)) - MEAN) / STD


def test_the_score_is_the_papers_formula_written_out() -> None:
    net, given = model(), images(5)
    ready = fit_detectors(
        net, images(30, 1), detectors=["squeezing", "squeeze-bit", "squeeze-median"], mean=MEAN, std=STD
    )
    scores = ready.score(given).single
    pixels = given * STD + MEAN
    with torch.no_grad():
        plain = net(given).double().softmax(dim=1)
        bit, blurred = (
            (plain - net((squeeze(pixels) - MEAN) / STD).double().softmax(dim=1)).abs().sum(dim=1).numpy()
            for squeeze in (one_bit, median)
        )
    assert scores["squeeze-bit"] == pytest.approx(bit, abs=1e-5)
    assert scores["squeeze-median"] == pytest.approx(blurred, abs=1e-5)
    assert scores["squeezing"] == pytest.approx(np.maximum(bit, blurred), abs=1e-5)


def test_an_image_in_black_and_white_loses_nothing_with_one_bit() -> None:
    black_and_white = ((images(6) > 0).float() - MEAN) / STD
    ready = fit_detectors(model(), images(30), detectors=["squeeze-bit"], mean=MEAN, std=STD)
    assert ready.score(black_and_white).single["squeeze-bit"] == pytest.approx(0, abs=1e-6)


def test_the_median_of_every_window_has_two_of_its_pixels_above() -> None:
    pixels = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    rows, cols = [0, *range(4)], [0, *range(3)]  # the pixel above and to the left; the edge mirrors itself
    windows = torch.stack([pixels, pixels[:, :, rows], pixels[:, :, :, cols], pixels[:, :, rows][:, :, :, cols]])
    assert torch.equal(median(pixels), windows.sort(dim=0).values[2])


def test_pixels_out_of_the_box_and_a_forgotten_normalisation_are_one_line() -> None:
    scaled = (torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    with pytest.raises(DnnTopologyError, match=r"expected \[0, 1\]"):
        squeezed_inputs(images(3), scaled)
    ready = fit_detectors(model(), images(30), detectors=["softmax"])
    with pytest.raises(DnnTopologyError, match="observe with squeezed="):
        Squeezing().score(ready.observe(images(3)))


@pytest.mark.parametrize("name", ["squeezing", "penultimate+noise"])
def test_tokens_have_no_pixels_to_change_and_that_is_one_line(name: str) -> None:
    net = nn.Sequential(nn.Embedding(20, 4), nn.Flatten(), nn.ReLU(), nn.Linear(24, 3))
    tokens = torch.randint(0, 20, (40, 6), generator=torch.Generator().manual_seed(0))
    with pytest.raises(DnnTopologyError, match=r"images .* are needed, found torch.int64 of shape \(40, 6\)") as error:
        fit_detectors(net, tokens, detectors=[name])
    assert "\n" not in str(error.value)
    assert fit_detectors(net, tokens, detectors=["penultimate"]).score(tokens[:4]).single["penultimate"].shape == (4,)
