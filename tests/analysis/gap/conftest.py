from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def networks() -> pd.DataFrame:
    """Sixty made-up networks whose gap is 10 + 100 λ + 200 μ and a little noise, of three data sets and two kinds."""
    rng = np.random.default_rng(0)
    life, midlife = rng.uniform(0.03, 0.07, 60), rng.uniform(0.1, 0.3, 60)
    return pd.DataFrame(
        {
            "cell": [f"c{number}" for number in range(60)],
            "net": np.tile(["mlp", "lenet"], 30),
            "dataset": np.tile(["a", "b", "c"], 20),
            "train_accuracy": 1.0,
            "train_loss": rng.uniform(size=60),
            "life": life,
            "midlife": midlife,
            "gap": 10 + 100 * life + 200 * midlife + rng.normal(0, 0.5, 60),
            "graph_split": "train",
            "n_inputs": 100,
        }
    )
