"""How far estimated accuracy is from true accuracy on corrupted copies of a run's test images.

The estimators see the validation images, their labels and, to fit slopes and to choose, corrupted copies of them (half
of the corruptions). They are judged on test images under the other half of the corruptions, whose labels they never
see. The estimate that `windtunnel eval RUN --shift --target SET` prints is that of the chosen one.

    python benchmarks/shift.py [RUN] [--images 2000] [--tta none] [--out shift.json]

RUN must have a validation part; without one a narrow airbench is trained first, minutes on two CPU cores. Reads the
test split, so run it on models whose selection is over.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch

from windtunnel.core.device import describe_device
from windtunnel.evaluation.shift.estimate import ESTIMATORS, choose_estimator, estimate_accuracy, mean_absolute_error
from windtunnel.recipes import load_experiment
from windtunnel.training.environment import process_settings
from windtunnel.training.folder import open_run
from windtunnel.training.predict import predict_images
from windtunnel.training.run import train
from windtunnel.training.shift import iterate_corruptions, measure_corruptions
from windtunnel.training.trained import load_trained, with_tta

TRAINED_HERE = (
    "data.split={name: official, validation: 0.1}",
    "model={name: airbench, widths: [24, 48, 64]}",
    "data.train_limit=12000",
    "data.batch_size=512",
    "train.epochs=10",
)


def train_one(folder: Path) -> str:
    """Train the network that is measured where no run was given."""
    return str(train(load_experiment("cifar10/airbench94", TRAINED_HERE), runs_dir=folder).folder)


def measure(run: str, *, tta: str, max_images: int) -> dict[str, object]:
    """Return mean absolute errors of every estimator on test images, and each estimate of the chosen one."""
    folder = open_run(run)
    experiment = with_tta(folder.read_experiment(), tta)
    with process_settings(experiment.runtime):
        parts = load_trained(folder, experiment, "last")
        reference, measured = measure_corruptions(parts, part="validation", max_images=max_images, seed=0)
        choice = choose_estimator(reference, measured)
        test = parts.data.test.head(max_images)
        clean = (predict_images(parts.classifier, test.images).argmax(1) == test.labels).double().mean().item()
        # another seed: not even the noise is shared with the copies the estimators were fitted on
        found = list(iterate_corruptions(parts, test, parts.data.ids["test"][: len(test)], reference, seed=1))
    held_out = [each for each in found if each.half == "judging"]
    return {
        "run": folder.path.name,
        "device": describe_device(parts.device),
        "torch": torch.__version__,
        "images": len(test),
        "chosen": choice.estimator,
        "expected_error": choice.error,
        "validation_accuracy": reference.accuracy,
        "test_accuracy": clean,
        "mean_corrupted_accuracy": sum(each.accuracy for each in found) / len(found),
        "errors": {name: mean_absolute_error(name, reference, held_out, choice.slopes) for name in ESTIMATORS},
        "corruptions": [
            {
                "corruption": each.corruption,
                "severity": each.severity,
                "true": each.accuracy,
                "estimated": estimate_accuracy(choice.estimator, reference, each.signals, choice.slopes),
            }
            for each in held_out
        ],
    }


def show(result: dict) -> None:
    """Print the errors of the estimators, and the chosen one's estimates of the middle severity."""
    print(f"{result['run']}, {result['images']} test images, {result['device']}, torch {result['torch']}")
    print(f"test accuracy {result['test_accuracy']:.2%}, under all corruptions {result['mean_corrupted_accuracy']:.2%}")
    print(f"\n{'mean absolute error, held-out corruptions of test images':58}points")
    for name, error in result["errors"].items():
        chosen = " (chosen on validation images)" if name == result["chosen"] else ""
        print(f"{name + chosen:58}{100 * error:6.2f}")
    print(f"{'what the chosen one was expected to be off by':58}{100 * result['expected_error']:6.2f}\n")
    print(f"{'severity 3':20}{'true':>8}{'estimated':>11}")
    for row in result["corruptions"]:
        if row["severity"] == 3:
            print(f"{row['corruption']:20}{row['true']:8.1%}{row['estimated']:11.1%}")


def main() -> None:
    """Parse arguments, measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="a run folder, its name or last; none trains one")
    parser.add_argument("--images", type=int, default=2000, help="of the validation part, and as many of the test part")
    parser.add_argument("--tta", default="none", help="views, as in windtunnel eval")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(args.run or train_one(Path(folder)), tta=args.tta, max_images=args.images)
    show(result)
    if args.out:
        args.out.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
