"""What ``windtunnel bench time-to`` says on the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from windtunnel.cli.compare_texts import describe_load, shorten
from windtunnel.cli.tables import format_table
from windtunnel.report.numbers import format_tera

if TYPE_CHECKING:
    from windtunnel.comparison.time_to import Attempt, Finish, TimeTo
    from windtunnel.comparison.time_to_trial import Goal


def announce(names: Sequence[str], goal: "Goal", trials: int) -> str:
    """Return who is measured, to what and how often."""
    where = {
        "validation": "images held out of training",
        "test": "the TEST images, which then choose when to stop",
    }[goal.on]
    after = f" after {goal.after:g}" if goal.after else ""
    looks = f"looks every {goal.every:g} epochs{after}, off the clock"
    return f"{', '.join(names)} to {100 * goal.target:g}% on {where}; {looks}; {trials} trial{'s' * (trials > 1)} each"


def describe_attempt(attempt: "Attempt") -> str:
    """Return a trial in a line."""
    ended = "reached" if attempt.reached else "not reached"
    cost = f"{attempt.epochs:.3g} epochs, {format_tera(attempt.flops)} TFLOP"
    return (
        f"{attempt.letter} seed {attempt.seed}: {ended} after {attempt.seconds:.2f} s, {cost}, {attempt.accuracy:.2%}"
    )


def describe(found: "TimeTo") -> str:
    """Return the table, ratios, what was missed and where it is kept."""
    target = f"{100 * found.goal.target:g}%"
    lines = [f"\n{format_table([_row(finish) for finish in found.finishes])}"]
    lines += ["\nseconds: prepare + train until the target; TFLOP: of training until then, counted, 6 a multiply-add"]
    base = f"{found.finishes[0].letter} {found.finishes[0].name}"
    for ratio in found.ratios:
        known = f"95% interval {ratio.low:.3f} to {ratio.high:.3f}, {ratio.pairs} pairs" if ratio.low else "1 pair"
        lines.append(f"{ratio.letter} takes {ratio.ratio:.3f} of the time of {base} ({known})")
    lines += [_missed(finish, target) for finish in found.finishes if finish.reached < len(finish.attempts)]
    lines.append(describe_load([attempt.load for finish in found.finishes for attempt in finish.attempts]))
    return "\n".join([*(line.rstrip("\n") for line in lines if line), f"folder: {found.folder}"])


def _row(finish: "Finish") -> dict[str, Any]:
    row = {
        "recipe": shorten(f"{finish.letter} {finish.name}"),
        "reached": f"{finish.reached} of {len(finish.attempts)}",
    }
    seconds = finish.seconds
    if seconds is None or finish.median is None or finish.epochs is None or finish.flops is None:
        return row | dict.fromkeys(("median s", "mean s", "sd", "epochs", "TFLOP"), "")
    return row | {
        "median s": f"{finish.median:.2f}",
        "mean s": f"{seconds.mean:.2f}",
        "sd": "" if seconds.sd is None else f"{seconds.sd:.2f}",
        "epochs": f"{finish.epochs:.3g}",
        "TFLOP": format_tera(finish.flops),
    }


def _missed(finish: "Finish", target: str) -> str:
    missed = [attempt.best for attempt in finish.attempts if not attempt.reached]
    name = f"{finish.letter} {finish.name}"
    if not finish.reached:
        return (
            f"{name} never reached {target} in {len(missed)} trials: {max(missed):.2%} at best. "
            "Train longer (train.epochs) or lower --target."
        )
    share = f"{len(missed)} of {len(finish.attempts)} trials ({max(missed):.2%} at best)"
    return f"{name} missed {target} in {share}; the times are of the others"
