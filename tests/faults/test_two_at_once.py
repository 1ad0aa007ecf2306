"""Two of everything at once: the second waits, or is refused with exit code 2; nothing gets damaged."""

import hashlib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from catalog.folders import QUICKSTART, make_run
from faults.stand_ins import CONTENT, SlowReader
from windtunnel.comparison.trials import hold_comparison
from windtunnel.config.sweep import SweepConfig
from windtunnel.core.files import write_text
from windtunnel.data.cache import load_cached
from windtunnel.data.fetch import fetch_set
from windtunnel.data.mirrors import Form, RemoteFile
from windtunnel.dispatch.control import Wish, read_wishes, send_wish
from windtunnel.dispatch.journal import hold_folder
from windtunnel.errors import UsageError
from windtunnel.sweeps.definition import build_definition
from windtunnel.sweeps.folder import create_sweep, open_sweep
from windtunnel.training.folder import RunFolder, create_run_folder

HOLD = """
import fcntl, sys
with open(sys.argv[1], "a") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Let another process hold a lock file until the test is over."""
    held = []

    def begin(path):
        command = [sys.executable, "-S", "-c", HOLD, str(path)]
        held.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert held[-1].stdout.readline() == "held\n"

    yield begin
    for process in held:
        process.communicate("")


def all_at_once(*calls):
    """Make the calls in a thread each, at the same moment; return what each returned or raised."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait()
        try:
            return call()
        except UsageError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_a_run_that_another_process_trains_is_refused(hold, tmp_path):
    run = make_run(tmp_path / "run")
    hold(run.path / ".lock")
    with pytest.raises(UsageError, match="another process is training") as refused, run.folder.hold():
        pass
    assert refused.value.exit_code == 2


def test_a_run_is_waited_for_while_it_saves(hold, tmp_path):
    run = make_run(tmp_path / "run")
    run.folder.wait_until_free(60)  # nobody holds it
    hold(run.path / ".lock")
    run.folder.wait_until_free(0.05)
    with pytest.raises(UsageError), run.folder.hold():
        pass


def test_two_runs_that_hit_upon_one_name_do_not_mix(tmp_path):
    run = make_run(tmp_path / "run")
    before = (run.path / "config.yaml").read_bytes()
    other = QUICKSTART.model_copy(update={"seed": 5})
    with pytest.raises(UsageError, match="holds a run with other settings"):
        create_run_folder(other, run.path, environment={}, overrides=())
    assert (run.path / "config.yaml").read_bytes() == before


def test_of_two_sweeps_of_one_name_the_first_stays_and_the_second_is_refused(tmp_path):
    def define(rates):
        tree = {"name": "one", "project": "p", "base": "quickstart", "space": {"optim.lr": rates}}
        return build_definition(SweepConfig.model_validate(tree))

    definitions = [define([0.1, 0.2]), define([0.3])]
    for trial in range(10):
        place = tmp_path / str(trial)
        ends = all_at_once(*[partial(create_sweep, one, place) for one in definitions])
        (refused,) = [end for end in ends if isinstance(end, UsageError)]
        assert "other settings" in str(refused)
        winner = next(one for one, end in zip(definitions, ends, strict=True) if end is not refused)
        assert open_sweep(place / "p" / "one").read_definition().config == winner.config


def test_a_second_dispatcher_of_a_sweep_is_refused_with_the_first_ones_process(tmp_path):
    with hold_folder(tmp_path), pytest.raises(UsageError, match=r"another dispatcher \(process \d+ on"):
        with hold_folder(tmp_path):
            pass


def test_a_second_comparison_in_one_folder_is_refused(tmp_path):
    with hold_comparison(tmp_path / "demo"), pytest.raises(UsageError, match="another process"):
        with hold_comparison(tmp_path / "demo"):
            pass


def test_a_reader_never_sees_half_of_what_two_write(tmp_path):
    path = tmp_path / "text"
    texts = ["a" * 200_000, "b" * 300_000]
    write_text(path, texts[0])
    seen = []

    def read():
        seen.extend(path.read_text() in texts for _ in range(200))

    all_at_once(read, *[lambda text=text: [write_text(path, text) for _ in range(20)] for text in texts])
    assert len(seen) == 200
    assert all(seen)


def test_wishes_from_two_shells_are_all_heard(tmp_path):
    path = tmp_path / "control.jsonl"
    names = ("first", "second")
    all_at_once(*[lambda name=name: [send_wish(path, Wish("cancel", name)) for _ in range(20)] for name in names])
    jobs = [wish["job"] for wish in read_wishes(path, 0)]
    assert sorted(jobs) == sorted([*["first"] * 20, *["second"] * 20])


def test_of_two_fetches_the_second_waits_and_finds_the_files(server, tmp_path):
    address = f"http://127.0.0.1:{server.server_address[1]}"
    digest = hashlib.sha256(CONTENT).hexdigest()
    form = Form(tuple(RemoteFile(name, digest, len(CONTENT), (f"{address}/{name}",)) for name in ("a", "b")))
    paths = all_at_once(*[lambda: fetch_set("toy", tmp_path / "toy", [form])] * 2)
    assert paths[0] == paths[1]
    assert all(path.read_bytes() == CONTENT for path in paths[0])
    assert sorted(server.requests) == ["/a", "/b"]


def test_of_two_cache_builds_the_second_waits_and_decodes_nothing(tmp_path):
    (tmp_path / "source.bin").write_bytes(b"12345")
    reader = SlowReader(tmp_path / "source.bin")
    sets = all_at_once(*[lambda: load_cached(reader, tmp_path / "cache")] * 2)
    assert reader.decoded == 1
    assert sets[0].digest == sets[1].digest


def test_of_two_live_pages_on_one_port_the_second_is_told_a_free_one(tmp_path):
    for needed in ("starlette", "uvicorn", "plotly"):
        pytest.importorskip(needed)
    from windtunnel.ui.serve import Place, build_server

    _, bound = build_server(tmp_path, Place(), tell=print)
    with bound:
        port = bound.getsockname()[1]
        with pytest.raises(UsageError, match=rf"--port: {port} is in use; \d+ is free") as refused:
            build_server(tmp_path, Place(port=port), tell=print)
    assert refused.value.exit_code == 2


def test_a_lock_outlives_no_process(hold, tmp_path):
    run = make_run(tmp_path / "run")
    command = [sys.executable, "-S", "-c", HOLD, str(run.path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        process.kill()
    with RunFolder(run.path).hold():
        assert json.loads((run.path / "summary.json").read_text())["status"] == "finished"
