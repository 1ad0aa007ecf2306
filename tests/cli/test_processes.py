import pytest


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_batch_that_cannot_be_shared_out_ends_before_anything_starts(cli, tmp_path, more):
    done = cli("train", "quickstart", "--nproc", "3", *more)
    assert done.code == 2
    assert "data.batch_size is 64 over all processes" in done.err
    assert not (tmp_path / "runs").exists()


def test_no_process_is_too_few(cli):
    assert cli("train", "quickstart", "--nproc", "0").code == 2


def test_resuming_checks_what_the_run_was_started_with(cli, tmp_path):
    assert cli("train", "quickstart", "train.epochs=0.1", "model.name=mlp", "-q").code == 0
    done = cli("resume", "last", "--nproc", "5")
    assert done.code == 2
    assert "--nproc 5" in done.err
