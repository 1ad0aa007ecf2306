"""A comparison as a document."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from windtunnel.comparison.ratios import percent_more
from windtunnel.errors import CheckpointError
from windtunnel.publish.shared import compare_settings, describe_code, describe_environments, read_config
from windtunnel.report.comparison import load_clouds, plot_losses, plot_plane
from windtunnel.report.document import Block, Column, Document, Fact, Listing, Paragraph, Picture, Row, Section, Table
from windtunnel.report.load import read_json
from windtunnel.report.numbers import format_interval, format_p, format_percent, format_tera, format_two_places

Tree = Mapping[str, Any]
_DECISIONS = {"differs": "differs", "equivalent": "equivalent", "open": "not settled"}


def build_comparison_document(folder: Path) -> Document:
    """Return everything a report says of the comparison in ``folder``.

    Raises:
        CheckpointError: ``comparison.json`` is damaged.
    """
    found = read_json(folder / "comparison.json")
    try:
        return _build_comparison(folder, found)
    except (LookupError, TypeError) as error:
        raise CheckpointError(f"{folder / 'comparison.json'} holds no finished comparison: {error!r}") from error


def _build_comparison(folder: Path, found: Tree) -> Document:
    clouds, metric = load_clouds(folder)
    plane = Picture("accuracy-time", plot_plane(clouds, metric=metric), "Accuracy against time, with intervals")
    losses = Picture("losses", plot_losses(clouds), "Training loss of every trial over epochs")
    verdicts = tuple(Paragraph(str(answer["sentence"]), is_verdict=True) for answer in found["answers"])
    runs = [run for cloud in clouds for run in cloud.folders]
    return Document(
        title=folder.name,
        subtitle=f"Comparison of {len(clouds)} designs by {_words(metric)}",
        status="finished",
        reason=describe_end(found),
        facts=tuple(list_facts(found)),
        sections=(
            Section("Verdict", verdicts),
            Section("Accuracy against time", (Row((plane, losses)), *list_designs(found, metric))),
            Section("Differences", tuple(_list_answers(found))),
            Section("Designs", tuple(_describe_designs(folder, found))),
            Section("Every trial", (_list_trials(found),)),
            Section("How to reproduce", tuple(_describe_reproduction(folder, found, runs))),
            Section("What it ran on", tuple(describe_environments(runs))),
        ),
    )


def describe_end(found: Tree) -> str:
    """Return how many trials there were, and why no more."""
    early = ", stopped early: every question is settled" if found["stopped_early"] else ""
    return f"{found['pairs']} trials of each, with paired seeds{early}"


def list_facts(found: Tree) -> list[Fact]:
    """Return a number for the head of the page for each design."""
    facts = []
    for figures in found["figures"]:
        accuracy, seconds = figures["accuracy"], figures["seconds"]
        note = f"{_one(seconds)} s, n={accuracy['n']}"
        facts.append(Fact(f"{figures['letter']} {figures['name']}", f"{_one(accuracy)}%", note))
    return facts


def _one(summary: Tree) -> str:
    spread = f" ± {summary['sd']:.2f}" if summary["sd"] is not None else ""
    return f"{summary['mean']:.2f}{spread}"


def list_designs(found: Tree, metric: str) -> list[Block]:
    """Return accuracy and time of each design with intervals, and its clocks."""
    columns = (
        Column("design", align="left"),
        Column("trials"),
        Column(f"{_words(metric)} (%)", format_two_places, field="accuracy"),
        Column("95% interval", format_interval, field="accuracy 95% interval"),
        Column("sd", format_two_places, field="accuracy sd"),
        Column("seconds", format_two_places),
        Column("95% interval", format_interval, field="seconds 95% interval"),
        Column("sd", format_two_places, field="seconds sd"),
        Column("TFLOP", format_tera, field="flops"),
        Column("diverged"),
    )
    rows = tuple(
        (
            f"{one['letter']} {one['name']}",
            one["accuracy"]["n"],
            one["accuracy"]["mean"],
            _interval(one["accuracy"]),
            one["accuracy"]["sd"],
            one["seconds"]["mean"],
            _interval(one["seconds"]),
            one["seconds"]["sd"],
            one.get("flops"),
            one["diverged"],
        )
        for one in found["figures"]
    )
    caption = "Seconds to prepare and train; intervals of the means, BCa bootstrap; TFLOP of training, 6 a multiply-add"
    return [Table("designs", columns, rows, caption=caption, for_paper=True), _list_clocks(found)]


def _list_clocks(found: Tree) -> Table:
    clocks = list(dict.fromkeys(clock for one in found["figures"] for clock in one["clocks"]))
    columns = (
        Column("design", align="left"),
        *(Column(clock.replace("_", " "), format_two_places) for clock in clocks),
    )
    rows = tuple(
        (f"{one['letter']} {one['name']}", *(one["clocks"].get(clock) for clock in clocks)) for one in found["figures"]
    )
    return Table("clocks", columns, rows, caption="Mean seconds of each clock; lineage is prepare, train and evaluate")


def _list_answers(found: Tree) -> list[Block]:
    base = found["figures"][0]
    columns = (
        Column("against the baseline", align="left"),
        Column("points of accuracy", "{:+.2f}".format),
        Column("95% interval", format_interval, field="points 95% interval"),
        Column("p", format_p, field="points p adjusted"),
        Column("accuracy", align="left"),
        Column("time, percent more", "{:+.1f}".format),
        Column("95% interval", format_interval, field="percent 95% interval"),
        Column("p", format_p, field="percent p adjusted"),
        Column("time", align="left"),
        Column("pairs to show the margin"),
    )
    names = {one["letter"]: f"{one['letter']} {one['name']}" for one in found["figures"]}
    rows = tuple(_answer_row(names[answer["letter"]], answer) for answer in found["answers"])
    caption = (
        f"Paired by seed against {base['letter']} {base['name']}; BCa bootstrap intervals; p of t-tests, adjusted for "
        "all designs (Holm). The verdict follows the rule that was fixed beforehand, not these p-values."
    )
    return [Table("differences", columns, rows, caption=caption, for_paper=True)]


def _answer_row(name: str, answer: Tree) -> tuple[Any, ...]:
    accuracy, time = answer["accuracy"], answer["time"]
    return (
        name,
        accuracy["difference"],
        _interval(accuracy),
        answer["accuracy_p"],
        _DECISIONS[answer["accuracy_finding"]["decision"]],
        percent_more(time["difference"]),
        None if _interval(time) is None else (percent_more(time["low"]), percent_more(time["high"])),
        answer["time_p"],
        _DECISIONS[answer["time_finding"]["decision"]],
        answer["trials_for_margin"],
    )


def _describe_designs(folder: Path, found: Tree) -> list[Block]:
    firsts = {
        f"{figures['letter']} {figures['name']}": find_first_run(folder, figures["letter"])
        for figures in found["figures"]
    }
    return compare_settings({name: read_config(run) for name, run in firsts.items() if run is not None})


def find_first_run(folder: Path, letter: str) -> Path | None:
    """Return the run folder of a design's first trial, where it still is."""
    return next(iter(sorted((folder / "runs").glob(f"*-{letter}"))), None)


def _list_trials(found: Tree) -> Table:
    columns = (
        Column("design", align="left"),
        Column("seed"),
        Column("accuracy", format_percent),
        Column("prepare and train (s)", format_two_places),
        Column("cold start (s)", format_two_places),
        Column("diverged", lambda flag: "yes" if flag else ""),
        Column("resumed", lambda flag: "yes" if flag else ""),
        Column("load before", format_two_places),
    )
    rows = tuple(
        (
            trial["letter"],
            trial["seed"],
            trial["accuracy"],
            trial["seconds"].get("prepare", 0.0) + trial["seconds"].get("train", 0.0),
            trial["seconds"].get("cold_start"),
            trial["diverged"],
            trial["resumed"],
            trial.get("load"),
        )
        for trial in found["trials"]
    )
    return Table("trials", columns, rows)


def _describe_reproduction(folder: Path, found: Tree, runs: Sequence[Path]) -> list[Block]:
    letters = [figures["letter"] for figures in found["figures"]]
    files = " ".join(f"{letter}.yaml" for letter in letters)
    rules = found["rules"]
    options = f"--trials {rules['trials']} --accuracy-margin {100 * rules['accuracy_margin']:g}"
    options += f" --time-margin {100 * rules['time_margin']:g} --alpha {rules['alpha']:g} --seed {rules['first_seed']}"
    options += f" --metric {found['metric']}"
    options += "" if rules["stop_early"] else " --no-stop-early"
    blocks: list[Block] = [
        Paragraph(f"Save the designs below, one a file ({files}), and run:"),
        Listing(f"windtunnel compare {files} {options}"),
        describe_code(runs),
    ]
    for letter in letters:
        run = find_first_run(folder, letter)
        if run is not None:
            blocks += [Paragraph(f"{letter}.yaml"), Listing(read_config(run))]
    return blocks


def _interval(summary: Tree) -> tuple[float, float] | None:
    low, high = summary["low"], summary["high"]
    return None if low is None or high is None else (low, high)


def _words(metric: str) -> str:
    return metric.replace("val_", "validation ").replace("_", " ")
