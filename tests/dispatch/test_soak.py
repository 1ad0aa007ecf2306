"""The short form of benchmarks/soak.py: every kind of end, and nothing grows or is left over."""

from pathlib import Path

import pytest

from windtunnel.registry import import_object

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soak")
    soak = import_object(f"{SOAK}:soak")
    return soak(folder, runs=60, side_by_side=8, start="fork", poll_s=0.01, every_s=0.1)


def test_every_run_ends_once_and_as_it_should_and_nothing_is_left(report):
    assert report["faults"] == []
    assert sum(report["ended"].values()) == 60
    assert {"finished", "failed", "diverged", "pruned", "cancelled"} <= set(report["ended"])


def test_samples_are_of_the_dispatcher_at_work(report):
    middle, last = report["samples"][len(report["samples"]) // 2], report["samples"][-1]
    assert last["ended"] > 50 and last["journal_kib"] > 10
    assert middle["resident_mib"] > 10 and middle["server_mib"] > 5 and middle["descriptors"] > 5
    assert max(sample["children"] for sample in report["samples"]) >= 2
    assert report["looks"] > 20


def sampled(**figures):
    """Return samples of a soak of 400 runs whose figures are functions of the runs that ended."""
    sample = import_object(f"{SOAK}:Sample")
    steady = dict.fromkeys(("seconds", "resident_mib", "server_mib", "journal_kib"), 50.0)
    steady |= dict.fromkeys(("descriptors", "threads", "children", "zombies"), 2)
    return [
        sample(ended=ended, **{**steady, **{name: of(ended) for name, of in figures.items()}}) for ended in range(400)
    ]


def leaks(samples):
    find_growth, find_leaks = (import_object(f"{SOAK}:{name}") for name in ("find_growth", "find_leaks"))
    names = ("resident_mib", "descriptors", "zombies")
    return find_leaks(samples, {name: find_growth(samples, name, 400) for name in names}, 4)


def test_what_grows_is_noticed():
    assert leaks(sampled()) == []
    assert leaks(sampled(resident_mib=lambda ended: 50 + ended / 20)) == [
        "dispatcher, MiB resident grow by 50.00 per 1000 runs"
    ]
    (leak,) = leaks(sampled(descriptors=lambda ended: 10 + ended // 20))
    assert leak.startswith("open descriptors grow by")
    assert "9 zombies at once" in leaks(sampled(zombies=lambda ended: 9))


def test_what_only_wavers_or_settles_early_is_no_growth():
    assert leaks(sampled(descriptors=lambda ended: 10 + ended % 7)) == []
    assert leaks(sampled(resident_mib=lambda ended: 50 + min(ended, 90))) == []
