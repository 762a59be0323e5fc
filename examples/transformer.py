"""Watch a BERT of Hugging Face's transformers learn which chapter of the Python manual a passage comes from.

The text ships with Python and the model is made from a small configuration, so nothing is downloaded. A neuron is one
hidden feature after a layer of the model, averaged over the tokens that are no padding.

Run: pip install accelerate transformers; python examples/transformer.py
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from itertools import chain
from pydoc_data.topics import topics

import torch
import transformers
from torch.utils.data import DataLoader, random_split

import dnn_topology as dt
from dnn_topology.monitors.huggingface import TopologyCallback

CHAPTERS = ("formatstrings", "compound", "import", "debugger", "specialnames")
N_WORDS, PASSAGE = 800, 20


def passages() -> list[dict[str, object]]:
    """Cut every chapter into passages of up to 20 words, as numbers of words; 1 is any rare word."""
    texts = [re.findall(r"[a-z]+", topics[name].lower()) for name in CHAPTERS]
    known = {word: n + 2 for n, (word, _) in enumerate(Counter(chain.from_iterable(texts)).most_common(N_WORDS))}
    return [
        {"input_ids": [known.get(word, 1) for word in words[start : start + PASSAGE]], "labels": label}
        for label, words in enumerate(texts)
        for start in range(0, len(words), PASSAGE)
    ]


def batch(rows: list[dict[str, object]]) -> dict[str, torch.Tensor]:
    """Pad the passages of a batch to the longest one."""
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row["input_ids"]) for row in rows], batch_first=True)
    return {
        "input_ids": ids,
        "attention_mask": (ids > 0).long(),
        "labels": torch.tensor([row["labels"] for row in rows]),
    }


def main() -> None:
    """Train, measure and print."""
    transformers.set_seed(0)
    rows = passages()
    train, held_out = random_split(rows, [0.8, 0.2])
    config = transformers.BertConfig(
        vocab_size=N_WORDS + 2,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        num_labels=len(CHAPTERS),
    )
    model = transformers.BertForSequenceClassification(config)
    monitor = dt.TopologyMonitor(
        DataLoader(train, batch_size=32, shuffle=True, collate_fn=batch),
        layers=["bert.embeddings", "bert.encoder.layer.0", "bert.encoder.layer.1", "bert.pooler.activation"],
        nodes="feature",
        max_samples=300,
        max_dim=1,
    )
    arguments = transformers.TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        num_train_epochs=4,
        per_device_train_batch_size=64,
        learning_rate=3e-3,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
        logging_strategy="no",
    )
    trainer = transformers.Trainer(model, arguments, batch, train, callbacks=[TopologyCallback(monitor)])
    trainer.train()

    model.eval()
    with torch.no_grad():
        answers = [
            (model(**inputs).logits.argmax(dim=1) == inputs["labels"]).float().mean()
            for inputs in DataLoader(held_out, batch_size=len(held_out), collate_fn=batch)
        ]
    largest = Counter(row["labels"] for row in held_out).most_common(1)[0][1] / len(held_out)
    print(
        f"{len(train)} passages of {len(CHAPTERS)} chapters; {answers[0]:.0%} of {len(held_out)} held-out ones right "
        f"(always naming the longest chapter: {largest:.0%})"
    )
    cavities = monitor.table.query("dim == 1").set_index("epoch")
    print(cavities[["count", "life", "midlife", "betti_max", "peak_epsilon"]].round(4).to_string())


if __name__ == "__main__":
    main()
