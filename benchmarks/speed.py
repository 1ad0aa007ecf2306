"""Our speed recipes by the clock, and beside airbench94_muon: whole trainings, judged by test accuracy at their end.

``mnist``   mnist/fast99 by itself: is its mean at least 99.0%, and how long does it train?
``90``      cifar10/fast90 beside airbench94_muon with its schedule cut to the epochs it needs for 90% (--epochs)
``94``      cifar10/fast94 beside airbench94_muon as published

Trials take turns (ABBA) with paired seeds, each in a process of its own after a warm-up; every trial counts. Seconds
are prepare + train; FLOPs are counted, six a multiply-add. ``--default-allocator N`` runs the first N seeds of
airbench94_muon once more with the host allocator as its users have it. The same command goes on after a kill. Recipes
are frozen: this is the one place that reads the test images for them.

    python benchmarks/speed.py [mnist|90|94] [--trials 5] [--epochs 3] [--default-allocator 0] [--runs-dir runs]
        [--ours FIELD=VALUE ...] [--both FIELD=VALUE ...]
"""

import argparse
import math
import statistics
from pathlib import Path

from scipy import stats

from windtunnel.comparison.contest import Contest, Rules, name_contestants
from windtunnel.comparison.flops import count_training_flops
from windtunnel.comparison.trials import hold_comparison, run_trials
from windtunnel.recipes import load_experiment
from windtunnel.training.assemble import assemble

PEER = "cifar10/airbench94_muon"


def designs(options):
    """Return name and experiment of each contestant; ours is the last."""
    ours = "mnist/fast99" if options.what == "mnist" else f"cifar10/fast{options.what}"
    changed = [*options.both, *options.ours]
    mine = (" ".join([ours, *changed]), load_experiment(ours, changed))
    if options.what == "mnist":
        return [mine]
    cut = [f"train.epochs={options.epochs}"] if options.what == "90" else []
    theirs = [*options.both, *cut]
    return [(" ".join([PEER, *theirs]), load_experiment(PEER, theirs)), mine]


def measure(named, trials, folder):
    """Return the trials' list of each design."""
    contest = Contest(name_contestants(named), "test_accuracy", Rules(trials, stop_early=False))
    place = folder / f"speed-{contest.key}"
    with hold_comparison(place):
        pairs = run_trials(contest, place, tell)
    return [list(trials_of) for trials_of in zip(*pairs, strict=True)]


def tell(trial, position):
    print(f"{trial.letter} seed {trial.seed}: {trial.accuracy:.2%}, {trial.prepare_and_train:.2f} s", flush=True)


def count(experiment):
    parts = assemble(experiment)
    return count_training_flops(parts, parts.total_steps)


def t_interval(values):
    """Return mean and both ends of the 95% t-interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan, math.nan
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def print_row(name, experiment, trials):
    accuracy, low, high = t_interval([100 * trial.accuracy for trial in trials])
    seconds = [trial.prepare_and_train for trial in trials]
    spread = statistics.stdev(seconds) if len(seconds) > 1 else math.nan
    least = 100 * min(trial.accuracy for trial in trials)
    row = f"| {name} | {len(trials)} | {accuracy:.2f} ({low:.2f} to {high:.2f}), least {least:.2f} "
    row += f"| {statistics.fmean(seconds):.2f} (sd {spread:.2f}), most {max(seconds):.2f} "
    print(row + f"| {count(experiment) / 1e12:.3g} | {statistics.median(trial.load for trial in trials):.1f} |")


def print_ratio(said, ours, theirs):
    logs = [math.log(a.prepare_and_train / b.prepare_and_train) for a, b in zip(ours, theirs, strict=False)]
    ratio, low, high = (math.exp(value) for value in t_interval(logs))
    points, worse, better = t_interval([100 * (a.accuracy - b.accuracy) for a, b in zip(ours, theirs, strict=False)])
    print(f"ours over {said}: {ratio:.3f} of the time ({low:.3f} to {high:.3f}), ", end="")
    print(f"{points:+.2f} points ({worse:+.2f} to {better:+.2f}), {len(logs)} pairs")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("mnist", "90", "94"), default="mnist")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--ours", nargs="*", default=(), metavar="FIELD=VALUE")
    parser.add_argument("--both", nargs="*", default=(), metavar="FIELD=VALUE")
    parser.add_argument("--default-allocator", type=int, default=0)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs") / "speed")
    options = parser.parse_args()
    named = designs(options)
    found = measure(named, options.trials, options.runs_dir)
    rows = [(*design, trials) for design, trials in zip(named, found, strict=True)]
    if options.default_allocator and options.what != "mnist":
        epochs = f"train.epochs={named[0][1].train.epochs}"
        plain = load_experiment(PEER, [*options.both, epochs, "runtime.tune_allocator=false"])
        label = f"{named[0][0]}, default allocator"
        rows.insert(1, (label, plain, *measure([(label, plain)], options.default_allocator, options.runs_dir)))
    print("\n| recipe | n | test accuracy % (95% interval) | seconds | TFLOP | load |\n|---|---|---|---|---|---|")
    for row in rows:
        print_row(*row)
    print()
    for name, _, theirs in rows[:-1]:
        print_ratio(name, rows[-1][2], theirs)


if __name__ == "__main__":
    main()
