"""The verbs ``models`` and ``summary``."""

import json


def test_models_lists_what_fits_best_first(cli):
    done = cli("models", "--max-params", "5M", "--sort", "accuracy", "--json")
    rows = json.loads(done.out)
    assert done.code == 0
    assert all(row["parameters"] <= 5_000_000 for row in rows)
    known = [row["accuracy"] for row in rows if row["accuracy"] is not None]
    assert known == sorted(known, reverse=True) and {"slim_resnet", "improved_resnet"} <= {row["model"] for row in rows}


def test_models_sorts_by_cost_and_refuses_what_is_no_count(cli):
    rows = json.loads(cli("models", "--sort", "macs", "--max-macs", "50_000_000", "--json").out)
    assert [row["macs"] for row in rows] == sorted(row["macs"] for row in rows)
    done = cli("models", "--max-params", "five")
    assert done.code == 2 and "--max-params: 'five' is not a count" in done.err


def test_summary_prints_s4s_totals(cli):
    done = cli("summary", "slim_resnet")
    assert done.code == 0
    assert "Linear-85" in done.out and "Estimated total size (MB): 28.31" in done.out


def test_summary_takes_options_sizes_and_depth(cli):
    done = cli(
        "summary", "slim_resnet", "widths=[8,16,16,16]", "--classes", "3", "--size", "16", "--depth", "1", "--json"
    )
    tree = json.loads(done.out)
    assert tree["in_shape"] == [3, 16, 16] and tree["layers"][-1]["out_shape"] == [3]
    assert [layer["name"] for layer in tree["layers"]] == ["stem", "stages", "pool", "head"]
    assert tree["flops"] == 2 * tree["macs"]


def test_summary_takes_recipes_and_files(cli, tmp_path):
    assert "Input: 1x8x8" in cli("summary", "quickstart").out
    (tmp_path / "net.yaml").write_text("model: {name: sequential, blocks: [{name: conv, out_channels: 4}, head]}\n")
    assert "batch of 4" in cli("summary", "net.yaml", "--batch", "4").out


def test_summary_draws(cli, tmp_path):
    done = cli("summary", "lenet", "--draw", "lenet.svg")
    assert done.code == 0 and "Drew lenet.svg" in done.err
    assert "lenet: 62,006 parameters" in (tmp_path / "lenet.svg").read_text()


def test_summary_names_what_is_wrong(cli):
    for words, said in (
        (("slim_resnt",), "did you mean 'slim_resnet'?"),
        (("slim_resnet", "dropot=0.1"), "did you mean 'dropout'?"),
        (("slim_resnet", "activation=rely"), "did you mean 'relu'?"),
        (("sequential",), "model.blocks: is required"),
        (("resnet20", "depth=21"), "depth 21 is not 6 n + 2"),
        (("bn4", "--size", "8"), "does not fit its input of"),
        (("lenet", "--draw", "lenet.png"), "does not end with .svg"),
        (("lenet", "--draw", "none/lenet.svg"), "there is no folder none"),
    ):
        done = cli("summary", *words)
        assert (done.code, said in done.err) == (2, True), (words, done.err)


def test_a_network_written_as_blocks_trains(cli, tmp_path):
    (tmp_path / "net.yaml").write_text(
        "base: quickstart\n"
        "model:\n"
        "  name: sequential\n"
        "  blocks:\n"
        "    - {name: conv, out_channels: 8}\n"
        "    - {name: highway, blocks: [residual, {name: branch, branches: [residual, bottleneck], combine: mean}]}\n"
        "    - head\n"
        "train: {epochs: 0.05, validate_every: 0}\n"
    )
    done = cli("train", "net.yaml", "--quiet", "--runs-dir", "runs")
    assert done.code == 0, done.err
    assert "test:" in done.out


def test_blocks_that_do_not_fit_and_broken_budgets_end_before_training(cli, tmp_path):
    misfit = "model={name: sequential, blocks: [{name: conv, out_channels: 6}, bottleneck, head]}"
    done = cli("train", "quickstart", misfit, "--runs-dir", "runs")
    assert (done.code, "model.blocks.1 (bottleneck): reduction 4" in done.err) == (2, True)
    done = cli("train", "quickstart", "budget.parameters=10_000", "--runs-dir", "runs")
    assert (done.code, "budget.parameters: 70,122 exceeds 10,000" in done.err) == (2, True)
