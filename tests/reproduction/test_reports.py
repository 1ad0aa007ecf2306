"""What the modules of S1, S3 and S4 take from the reports."""

import math
import statistics

import numpy as np
import pytest

from reproduction.made_runs import find_blocks, make_reproduction, make_run
from windtunnel.config.experiment import Experiment
from windtunnel.config.overrides import set_fields
from windtunnel.config.problems import validate_tree
from windtunnel.core.files import write_json
from windtunnel.errors import UsageError
from windtunnel.recipes import load_recipe
from windtunnel.report.document import Document, Paragraph, Picture, Section
from windtunnel.reproduction import s1, s3, s4
from windtunnel.reproduction.reports import list_reports, load_report
from windtunnel.reproduction.run import _differences
from windtunnel.reproduction.types import Beside


def test_every_report_is_there_in_letters_of_either_case():
    assert list_reports() == ["S0", "S1", "S2", "S3", "S4"]
    assert [load_report(name.lower()).id for name in list_reports()] == list_reports()


def test_an_unknown_report_names_those_there_are():
    with pytest.raises(UsageError, match=r"no report 'S7'.*S0, S1, S2, S3, S4"):
        load_report("S7")


# S4's printed log: its second phase's epoch of 100 -> learning rate
@pytest.mark.parametrize(
    ("epoch", "rate"), [(10, 0.009755), (47, 0.005471), (55, 0.004218), (75, 0.001464), (92, 0.000157)]
)
def test_s4_s_second_phase_has_the_rates_it_printed(epoch, rate):
    recipe = load_recipe("cifar10/s4")
    places, heights = zip(*recipe.schedule.points, strict=True)
    assert recipe.train.epochs == 200
    assert recipe.optim.lr * np.interp(0.5 + epoch / 200, places, heights) == pytest.approx(rate, abs=2e-5)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.33, 0.5, 0.77, 0.99])
def test_s4_s_first_phase_is_half_a_cosine_from_a_tenth(share):
    recipe = load_recipe("cifar10/s4")
    places, heights = zip(*recipe.schedule.points, strict=True)
    wanted = 0.1 * (1 + math.cos(math.pi * share)) / 2
    assert recipe.optim.lr * np.interp(share / 2, places, heights) == pytest.approx(wanted, abs=2e-4)


def test_s3_s_run_is_what_it_says():
    [run] = s3.build_runs()
    experiment = run.experiment
    assert (experiment.optim.lr, experiment.optim.momentum, experiment.optim.weight_decay) == (0.05, 0.9, 1e-4)
    assert (experiment.averaging.every, experiment.averaging.alpha) == (5, 0.5)
    assert experiment.loss.label_smoothing == 0.1
    assert (experiment.train.epochs, experiment.schedule.name) == (400, "cosine")
    assert [op.name for op in experiment.augment] == [
        "random_crop", "horizontal_flip", "rotation", "color_jitter", "erasing",
    ]  # fmt: skip


def figures(beside):
    return [line.theirs for line in beside.lines]


def test_s3_s_page_has_its_figures_beside_ours(tmp_path):
    run = make_run(tmp_path, ((0.3, 0.4, 1.5), (0.5, 0.45, 1.4)), test=0.46)
    run.summary["parameters"] = 4_903_082
    run.summary["metrics"]["train_accuracy"] = 0.5
    chapters = s3.present(
        make_reproduction(s3.REPORT, tmp_path, {"improved_resnet": run}, reductions=("2 of 400 epochs",))
    )
    accuracy, parameters = find_blocks(chapters, Beside)
    assert figures(accuracy) == [(98.67,), (None,), (86.968,)]
    assert [line.ours for line in accuracy.lines] == [(50.0,), (45.0,), (46.0,)]
    assert parameters.lines[0].theirs == parameters.lines[0].ours == (4_903_082,)
    [row] = chapters[1].blocks[:1]
    assert [picture.name for picture in row.pictures] == ["accuracy", "loss", "learning-rate"]


LAYERS = {
    "layers": [
        {"label": "Conv2d-1", "out_shape": [32, 32, 32], "parameters": 864},
        {"label": "Linear-85", "out_shape": [10], "parameters": 2570},
    ],
    "parameters": 4_754_218,
    "input_mib": 0.0117,
    "forward_backward_mib": 10.156,
    "parameters_mib": 18.136,
}
TESTED = {
    "classes": ["cat", "dog"],
    "images": 20,
    "plain_accuracy": 0.7,
    "accuracy": 0.75,
    "confusion": [[8, 2], [3, 7]],
    "pairs": [{"first": "dog", "second": "cat", "first_as_second": 3, "second_as_first": 2}],
}


def present_s4(tmp_path):
    run = make_run(tmp_path, ((0.3, 0.4, 1.5), (0.5, 0.45, 1.4), (0.55, 0.5, 1.3), (0.6, 0.6, 1.2)))
    write_json(tmp_path / "layers.json", LAYERS)
    write_json(tmp_path / "test.json", TESTED)
    return s4.present(make_reproduction(s4.REPORT, tmp_path, {"slim_resnet": run}))


def test_s4_s_page_has_its_figures_beside_ours(tmp_path):
    accuracy, phase, layers, sizes = find_blocks(present_s4(tmp_path), Beside)
    assert figures(accuracy) == [(94.65,), (None,), (None,), (85.38,)]
    assert [line.ours for line in accuracy.lines[:2]] == [(70.0,), (75.0,)]
    assert figures(phase)[-1] == (94.65, 0.0571)
    assert [line.ours[0] for line in phase.lines] == [50.0, 50.0, 50.0, 60.0, 60.0]  # of epochs 3 and 4 of 4
    assert figures(layers)[-1] == (4_754_218,)
    assert layers.lines[0].ours == (864,)
    assert layers.lines[2].ours == (None,), "a layer that ours does not have has no figure"
    assert figures(sizes) == [(0.01,), (10.16,), (18.14,), (28.31,)]
    assert sizes.lines[-1].ours[0] == pytest.approx(28.31, abs=0.01)


def test_s4_s_page_draws_curves_and_confusions_and_marks_the_pairs_it_named(tmp_path):
    chapters = present_s4(tmp_path)
    confusion, pairs = chapters[-1].blocks[:2]
    assert isinstance(confusion, Picture)
    assert pairs.rows == (("dog", "cat", 3, 2, "yes"),)


@pytest.mark.parametrize("report", [s3.REPORT, s4.REPORT], ids=["S3", "S4"])
def test_a_failed_run_leaves_a_page_that_says_so(report, tmp_path):
    chapters = report.present(make_reproduction(report, tmp_path, {}))
    assert find_blocks(chapters, Beside)
    assert any("no finished run" in block.text for block in find_blocks(chapters, Paragraph))


def test_s1_s_means_are_those_it_prints():
    means = [round(statistics.fmean(column), 3) for column in zip(*s1._THEIRS, strict=True)]
    assert means == pytest.approx([114.381, 94.01, 108.074, 92.81], abs=0.015)


def test_s1_trains_the_base_each_change_and_all_four_as_it_describes_them():
    runs = {run.id: run.experiment for run in s1.build_runs()}
    assert list(runs) == ["base", "crop_only", "residual", "short_large_batch", "early_on_device", "all_four"]
    base, modified = runs["base"], runs["all_four"]
    assert (base.train.epochs, base.data.batch_size) == (9.9, 1024)
    assert (modified.train.epochs, modified.data.batch_size, modified.model.residual) == (8.0, 1536, True)
    assert modified.optim.lr * modified.train.lr_scaling.factor(1536) == pytest.approx(1.5 * base.optim.lr)


def test_s1_s_networks_are_narrowed_alike():
    narrow = {s1.narrow(run.experiment, 0.25).model.widths for run in s1.build_runs()}
    assert narrow == {(16, 64, 64)}


@pytest.mark.parametrize("run", s1.build_runs(), ids=lambda run: run.id)
def test_a_variant_is_the_base_with_its_differences(run):
    base = s1.build_runs()[0].experiment.model_dump(mode="json")
    changed = set_fields(base, _differences(base, run.experiment.model_dump(mode="json")))
    assert validate_tree(Experiment, changed, "changed") == run.experiment


def test_s1_s_page_has_its_trials_beside_ours(tmp_path, monkeypatch):
    effects = Document("a", "b", "c", "", (), (Section("Effects", (Paragraph("drawn elsewhere"),)),))
    monkeypatch.setattr(s1, "build_ablation_document", lambda folder: effects)
    for seed in range(5):
        for letter, seconds in (("A", 20.0 + seed), ("F", 10.0)):
            make_trial(tmp_path / "runs" / f"{seed:04d}-{letter}", seconds, 0.8 if letter == "A" else 0.7)
    found = make_reproduction(s1.REPORT, tmp_path, {}, reductions=("2.5 of 9.9 epochs",))
    found = type(found)(tmp_path, found.plan, {}, comparison=tmp_path)
    chapters = s1.present(found)
    seconds, accuracy, effect = find_blocks(chapters, Beside)
    assert figures(seconds)[1] == (114.254, 107.908)
    assert figures(accuracy)[1] == (94.00, 93.15)
    assert [line.labels[0] for line in seconds.lines] == ["1", "2", "3", "4", "5", "mean"]
    assert seconds.lines[1].ours == pytest.approx((21.0, 10.0))
    assert seconds.lines[-1].ours == pytest.approx((22.0, 10.0))
    assert accuracy.lines[-1].ours == pytest.approx((80.0, 70.0))
    assert effect.lines[0].theirs == pytest.approx((-5.5, -1.21), abs=0.02)
    assert effect.lines[0].ours == pytest.approx((100 * (10 / 22 - 1), -10.0))
    [losses] = chapters[-1].blocks
    assert [picture.name for picture in losses.pictures] == ["loss-baseline", "loss-modified"]


def test_s1_s_seconds_at_full_protocol_are_those_of_another_machine(tmp_path):
    full, cut = (make_reproduction(s1.REPORT, tmp_path, {}, reductions=said) for said in ((), ("less",)))
    assert s1._explain(full, "So.").cause == "other machine"
    assert s1._explain(cut, "So.") is None, "the rule decides"


def make_trial(folder, seconds, accuracy):
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("name: x\n")
    heading = "epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds,images_per_second"
    (folder / "metrics.csv").write_text(f"{heading}\n1,10,2.0,0.3,,,0.1,5.0,1000\n2,20,1.5,0.5,,,0.1,5.0,1000\n")
    seconds = {"prepare": 0.5, "train": seconds - 0.5}
    write_json(
        folder / "summary.json", {"status": "finished", "metrics": {"test_accuracy": accuracy}, "seconds": seconds}
    )
    write_json(folder / "trial.json", {"cold_start_seconds": 30.0, "warm_up_seconds": 1.0})
