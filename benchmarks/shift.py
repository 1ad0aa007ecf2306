"""How far estimated accuracy is from true accuracy on corrupted copies of a run's test images.

The estimators see the validation images, their labels and, to fit slopes and to choose, corrupted copies of them (half
of the corruptions). They are judged on test images under the other half of the corruptions, whose labels they never
see. The estimate that `windtunnel eval RUN --shift --target SET` prints is that of the chosen one.

    python benchmarks/shift.py RUN [--images 5000] [--tta none] [--out shift.json]

RUN must have a validation part. Reads the test split, so run it on models whose selection is over.
"""

import argparse
import json
from pathlib import Path

import torch

from windtunnel.core.device import describe_device
from windtunnel.evaluation.shift.estimate import ESTIMATORS, choose_estimator, estimate_accuracy, mean_absolute_error
from windtunnel.training.environment import process_settings
from windtunnel.training.folder import open_run
from windtunnel.training.predict import predict_images
from windtunnel.training.shift import iterate_corruptions, measure_corruptions
from windtunnel.training.trained import load_trained, with_tta


def measure(run: str, *, tta: str | None, max_images: int) -> dict[str, object]:
    """Return mean absolute errors of every estimator on test images, and each estimate of the chosen one."""
    folder = open_run(run)
    experiment = with_tta(folder.read_experiment(), tta)
    with process_settings(experiment.runtime):
        parts = load_trained(folder, experiment, "last")
        reference, measured = measure_corruptions(parts, part="validation", max_images=max_images, seed=0)
        choice = choose_estimator(reference, measured)
        test = parts.data.test.head(max_images)
        clean = (predict_images(parts, test.images).argmax(1) == test.labels).double().mean().item()
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
    parser.add_argument("run")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--tta", help="default the run's own; none is six times as fast as flip_translate")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    result = measure(args.run, tta=args.tta, max_images=args.images)
    show(result)
    if args.out:
        args.out.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
