"""One recipe per optimizer on CIFAR-10 within the same compute: accuracies over seeds, learning rates by validation.

A narrow airbench network (widths 16, 32, 32), 45,000 images to train on and 5,000 to choose by, flip, crop and
cutout, batch 512, label smoothing. Each optimizer first tries three learning rates for a tenth of the epochs and keeps
the best by validation; then every seed trains for all of them. The epochs are the same for all, so that the time is,
up to what the optimizers themselves cost; each run takes one thread, and the table states the processor time it used,
which other work on the machine does not stretch much. The test images are read once per final run.

    python benchmarks/optimizers.py [--epochs 4] [--seeds 2] [--only sgd ...] [--out build/benchmarks/optimizers.jsonl]

Runs that already stand in the file are not repeated: the script can be stopped and started again.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from windtunnel.recipes import load_experiment
from windtunnel.training.run import train

WARM = "warmup_epochs: 1.0"
# optimizer -> overrides with {lr}, and the three learning rates tried
CONTESTANTS = {
    "sgd": (["optim={{name: sgd, lr: {lr}, momentum: 0.9, weight_decay: 5.0e-4, groups: []}}"], (0.2, 0.6, 1.8)),
    "lookahead": (
        ["optim={{name: sgd, lr: {lr}, momentum: 0.9, weight_decay: 5.0e-4, groups: []}}", "averaging=lookahead"],
        (0.2, 0.6, 1.8),
    ),
    "adam": (["optim={{name: adam, lr: {lr}}}"], (1e-3, 3e-3, 9e-3)),
    "adamw": (["optim={{name: adamw, lr: {lr}, weight_decay: 0.05}}"], (1e-3, 3e-3, 9e-3)),
    "rmsprop": (["optim={{name: rmsprop, lr: {lr}}}"], (3e-4, 1e-3, 3e-3)),
    "schedule_free_adamw": (
        [
            "optim={{name: schedule_free_adamw, lr: {lr}, weight_decay: 0.05, norm_batches: 10}}",
            f"schedule={{{{name: constant, {WARM}}}}}",
        ],
        (1e-3, 3e-3, 9e-3),
    ),
    "muon": (
        ["optim={{name: muon, lr: {lr}, momentum: 0.6, sgd_lr: 0.1, weight_decay: 0.0}}"],
        (0.08, 0.24, 0.72),
    ),
}
BASE = [
    "model={name: airbench, widths: [16, 32, 32]}",
    "augment=[alternating_flip, {name: random_crop, padding: 2, mode: reflect}, {name: cutout, size: 8}]",
    "data.split={name: official, validation: 0.1}",
    "data.batch_size=512",
    "loss={name: cross_entropy, label_smoothing: 0.1, reduction: mean}",
    "schedule={name: one_cycle, rise: 0.2}",
    "averaging=null",
    "evaluate.tta=none",
    "train.checkpoint_every=0",
    "runtime.threads=1",
    "runtime.device=cpu",
]


def build(name, lr, seed, epochs, *, test):
    overrides, _ = CONTESTANTS[name]
    return load_experiment(
        "cifar10/airbench94",
        [
            *BASE,
            *(override.format(lr=lr) for override in overrides),
            f"name={name}",
            f"seed={seed}",
            f"train.epochs={epochs}",
            f"train.validate_every={epochs}",
            f"evaluate.test={'true' if test else 'false'}",
        ],
    )


def measure(name, lr, seed, epochs, *, test):
    """Train and return a row of the table."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        summary = train(build(name, lr, seed, epochs, test=test), runs_dir=Path(folder)).summary
    metrics = summary["metrics"]
    return {
        "optimizer": name,
        "lr": lr,
        "seed": seed,
        "epochs": epochs,
        "status": summary["status"],
        "val_accuracy": metrics.get("val_accuracy", 0.0),
        "test_accuracy": metrics.get("test_accuracy"),
        "processor_seconds": round(time.process_time() - started, 1),
        "train_seconds": summary["seconds"]["train"],
    }


class Ledger:
    """Rows on disk, each measured once."""

    def __init__(self, path):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def get(self, name, lr, seed, epochs, *, test):
        """Return the row of a run, trained now if it was not yet."""
        key = {"optimizer": name, "lr": lr, "seed": seed, "epochs": epochs}
        for row in self.rows:
            if key.items() <= row.items():
                return row
        row = measure(name, lr, seed, epochs, test=test)
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)
        return row


def choose_rate(ledger, name, epochs):
    tries = [ledger.get(name, lr, 1000, epochs / 10, test=False) for lr in CONTESTANTS[name][1]]
    return max(tries, key=lambda row: row["val_accuracy"])["lr"]


def table(ledger, names, epochs):
    print("\n| optimizer | learning rate | test accuracy, mean (lowest to highest) | n | processor seconds a run |")
    print("|---|---|---|---|---|")
    for name in names:
        rows = [row for row in ledger.rows if row["optimizer"] == name and row["epochs"] == epochs]
        scores = [100 * row["test_accuracy"] for row in rows if row["test_accuracy"] is not None]
        if scores:
            seconds = statistics.median(row["processor_seconds"] for row in rows)
            spread = f"{statistics.mean(scores):.2f}% ({min(scores):.2f} to {max(scores):.2f})"
            print(f"| {name} | {rows[0]['lr']:g} | {spread} | {len(scores)} | {seconds:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/optimizers.jsonl"))
    options = parser.parse_args()
    ledger = Ledger(options.out)
    rates = {name: choose_rate(ledger, name, options.epochs) for name in options.only}
    for seed in range(options.seeds):
        for name in options.only:
            ledger.get(name, rates[name], seed, options.epochs, test=True)
    table(ledger, options.only, options.epochs)


if __name__ == "__main__":
    main()
