import signal
import subprocess
import sys

import pytest

from windtunnel.comparison.launch import Interrupted, launch, stop_with_parent
from windtunnel.training.interruption import Interruption


def test_a_trial_is_told_to_stop_when_its_parent_is_gone():
    told = f"from {stop_with_parent.__module__} import stop_with_parent as go; import time; go(); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", told], stdin=subprocess.PIPE)
    process.stdin.close()  # as the kernel does for a parent that was killed
    assert process.wait(timeout=50) == -signal.SIGTERM


@pytest.mark.parametrize(("module", "code"), [("this", 0), ("no_such_module", 1)])
def test_the_exit_code_comes_back_and_the_log_is_kept(tmp_path, module, code):
    assert launch(module, tmp_path / "order.json", tmp_path / "log", Interruption()) == code
    assert (tmp_path / "log").read_text()


def test_a_trial_that_was_stopped_alone_stops_the_comparison(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexit 143\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(Interrupted, match="SIGTERM") as stopped:
        launch("any", tmp_path / "order.json", tmp_path / "log", Interruption())
    assert stopped.value.exit_code == 143
