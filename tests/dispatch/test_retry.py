"""What becomes of a run, by how its worker ended."""

import pytest

from windtunnel.dispatch.order import Result
from windtunnel.dispatch.retry import Requeue, Verdict, judge
from windtunnel.dispatch.state import Placement, RunState

GIB = 2**30


def end(cause, *, peak=None, stopped=False, reserved=4 * GIB, device=16 * GIB, **state):
    run = RunState("a", "", placement=Placement("cuda:0", 0, "", reserved), **state)
    return judge(run, Result(1, cause, "why", peak), device_bytes=device, retries=2, stopped=stopped)


CAUSES = ("finished", "diverged", "interrupted", "memory", "storage", "usage", "crash", "lost")


@pytest.mark.parametrize("cause", CAUSES)
def test_a_pruned_run_is_pruned_however_its_worker_ended(cause):
    assert end(cause, stopping="pruned", last_epoch=3) == Verdict("pruned", "stopped early after epoch 3")


@pytest.mark.parametrize("stopping", ["", "cancelled"])
@pytest.mark.parametrize("cause", ["finished", "diverged"])
def test_an_end_reached_counts_though_it_was_cancelled_or_all_were_stopped(cause, stopping):
    assert end(cause, stopping=stopping, stopped=True) == Verdict(cause, "why")


@pytest.mark.parametrize("cause", ["interrupted", "memory", "storage", "usage", "crash", "lost"])
def test_a_cancelled_run_that_did_not_end_is_cancelled(cause):
    assert end(cause, stopping="cancelled", stopped=True) == Verdict("cancelled", "cancelled by the user")


def test_what_cannot_be_run_is_not_tried_again():
    assert end("usage", stopped=True) == Verdict("failed", "why")


@pytest.mark.parametrize("cause", ["interrupted", "memory", "storage", "crash", "lost"])
def test_whatever_else_a_stopped_dispatchers_worker_says_its_run_goes_on(cause):
    assert end(cause, stopped=True, crashes=9, alone=True) == Requeue("stopped", "the dispatcher was stopped")


@pytest.mark.parametrize("cause", ["lost", "storage"])
def test_what_is_nobodys_fault_is_forgiven_any_number_of_times(cause):
    assert end(cause, crashes=9) == Requeue(cause, "why")


@pytest.mark.parametrize("cause", ["crash", "interrupted"])
def test_two_crashes_are_forgiven_and_the_third_is_the_end(cause):
    assert [end(cause, crashes=count) for count in (0, 1)] == [Requeue("crash", "why")] * 2
    verdict = end(cause, crashes=2)
    assert verdict.status == "failed"
    assert verdict.reason == "its worker ended 3 times without an outcome; the last: why"


def test_memory_is_first_raised_to_what_was_seen_or_by_a_quarter():
    assert end("memory") == Requeue("memory", "out of memory: why", 5 * GIB)
    assert end("memory", peak=7 * GIB).bytes_needed == 7 * GIB
    assert end("memory", peak=1, peak_bytes=6 * GIB).bytes_needed == 6 * GIB


def test_the_second_time_a_run_gets_a_device_to_itself():
    assert end("memory", memory_failures=1, peak=6 * GIB) == Requeue("memory", "out of memory: why", 6 * GIB, True)


def test_a_run_that_would_need_the_whole_device_gets_it_at_once():
    assert end("memory", device=5 * GIB, peak=9 * GIB) == Requeue("memory", "out of memory: why", 5 * GIB, True)


@pytest.mark.parametrize("state", [{"alone": True}, {"memory_failures": 2}])
def test_a_run_that_a_whole_device_does_not_hold_fails_with_what_to_do(state):
    verdict = end("memory", peak=15 * GIB, **state)
    assert verdict.status == "failed"
    assert "alone on a device with 16.0 GiB; it held 15.0 GiB" in verdict.reason
    assert "Lower data.batch_size" in verdict.reason and verdict.reason.endswith("(why)")
