import os

import pytest

from windtunnel.errors import UsageError
from windtunnel.publish.find import find_subject


def test_each_kind_is_found_by_path_and_by_name(made):
    place = made["run"].parents[1]
    for kind, folder in made.items():
        assert find_subject(str(folder)).kind == kind
        assert find_subject(folder.name, place).folder == folder


def test_a_comparison_is_found_without_its_digest(made):
    assert find_subject("made", made["run"].parents[1]).folder == made["sweep"], "a whole name comes first"
    assert find_subject("ablate", made["run"].parents[1]).folder == made["ablation"]


def test_last_is_what_changed_last(made_runs, tmp_path):
    made = made_runs.made_in(tmp_path)
    os.utime(made["sweep"] / "dispatch" / "journal.jsonl", (4e9, 4e9))
    assert find_subject("last", tmp_path).folder == made["sweep"]
    os.utime(made["run"] / "events.jsonl", (5e9, 5e9))
    assert find_subject("last", tmp_path).folder == made["run"]


def test_a_run_of_a_sweep_is_found_by_its_name(made):
    run = next((made["sweep"] / "runs").iterdir())
    assert find_subject(run.name, made["run"].parents[1]).folder == run


def test_what_does_not_exist_is_refused_with_the_nearest_name(made):
    with pytest.raises(UsageError, match=f"did you mean '{made['run'].name}'"):
        find_subject(made["run"].name[:-1], made["run"].parents[1])
    with pytest.raises(UsageError, match="there are 0 of them"):
        find_subject("last", made["run"])


def test_a_folder_that_is_nothing_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is no run, sweep, comparison or ablation"):
        find_subject(str(tmp_path))
    (tmp_path / "orders").mkdir()
    with pytest.raises(UsageError, match="without an answer yet"):
        find_subject(str(tmp_path))
    (tmp_path / "time_to.json").write_text("{}")
    with pytest.raises(UsageError, match="times to an accuracy, which have no report"):
        find_subject(str(tmp_path))


def test_a_name_of_two_things_is_refused(made_runs, tmp_path):
    for project in ("a", "b"):
        made_runs.make_sweep(tmp_path, rates=(0.1,), decays=(0.0,), seeds=(0,), epochs=1).parent.rename(
            tmp_path / project
        )
    with pytest.raises(UsageError, match="'made' names 2 things"):
        find_subject("made", tmp_path)
