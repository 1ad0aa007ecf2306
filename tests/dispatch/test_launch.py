"""Starting workers: what they are told, and what happens where forking does not work."""

from dataclasses import replace

from dispatch.fakes import EXPERIMENT, MIB, cpu
from windtunnel.config.files import read_yaml
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.forking import ForkError
from windtunnel.dispatch.launch import JobFolder, Launcher, write_order
from windtunnel.dispatch.order import Order
from windtunnel.dispatch.types import Estimate, Job

PRICE = Estimate(bytes=100 * MIB, parts={"context": 30 * MIB})
GPU = Device("cuda:0", "cuda", 1000 * MIB, uuid="GPU-0")


def order_for(folder, device, attempt=1, experiment=EXPERIMENT):
    job = Job("a", experiment, folder / "run", claim="/shared/claim")
    return write_order(
        JobFolder(folder / "job"), job, device, PRICE, attempt=attempt, reserved=120 * MIB, shared="/tmp/held.sock"
    )


def test_a_worker_on_a_gpu_is_capped_by_what_its_allocator_counts(tmp_path):
    order = order_for(tmp_path, GPU)
    assert (order.device, order.cap_bytes, order.context_bytes) == ("cuda", 90 * MIB, 30 * MIB)
    assert (order.claim, order.shared) == ("/shared/claim", "/tmp/held.sock")
    assert Order.read(tmp_path / "job/order-1.json") == order


def test_a_worker_on_the_cpu_is_watched_from_outside(tmp_path):
    order = order_for(tmp_path, cpu())
    assert (order.device, order.cap_bytes, order.context_bytes) == ("cpu", None, 0)


def test_the_experiment_is_written_once_and_kept(tmp_path):
    first = order_for(tmp_path, cpu())
    order_for(tmp_path, cpu(), attempt=2, experiment=EXPERIMENT.model_copy(update={"seed": 9}))
    assert read_yaml(tmp_path / "job/experiment.yaml")["seed"] == EXPERIMENT.seed
    assert (tmp_path / "job/order-2.json").exists()
    assert first.result != Order.read(tmp_path / "job/order-2.json").result


class CannotFork:
    """Fork servers that come up and then fail."""

    def __init__(self):
        self.asked, self.closed = 0, False

    def are_ready(self):
        return self.asked > 0

    def start(self, device, order, log):
        self.asked += 1
        raise ForkError("it has 2 threads")

    def close(self):
        self.closed = True


def start(launcher, folder, threads):
    process = launcher.start(JobFolder(folder / "job"), order_for(folder, cpu()), cpu(), threads)
    process.release()
    return process._process.wait()


def test_where_forking_fails_it_is_given_up_and_that_is_said_once(tmp_path):
    servers, said = CannotFork(), []
    launcher = Launcher(lambda order: ["true"], servers, said.append)
    assert not launcher.is_ready()
    assert [start(launcher, tmp_path, 1), start(launcher, tmp_path, 1)] == [0, 0]
    assert launcher.is_ready()
    assert (servers.asked, servers.closed) == (1, True)
    (text,) = said
    assert text.endswith("since their fork server failed: it has 2 threads")


def test_a_run_with_threads_of_its_own_is_no_fork(tmp_path):
    servers = CannotFork()
    launcher = Launcher(lambda order: ["sh", "-c", 'test "$OMP_NUM_THREADS" = 2'], servers, print)
    assert start(launcher, tmp_path, threads=2) == 0
    assert (servers.asked, replace(cpu()).threads) == (0, 1)
    launcher.close()
    launcher.close()
