"""Work shared out over torch's own threads."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from windtunnel.models.winograd import threads
from windtunnel.models.winograd.threads import openmp_team, share


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def _no_team() -> None:
    return None


def _team_of_one() -> Callable[..., None]:
    return lambda body, data, _threads, _flags: body(data)


@pytest.fixture(params=["torch's pool", "a pool of its own", "a team of one"])
def pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    teams = {"a pool of its own": _no_team, "a team of one": _team_of_one}
    if request.param in teams:
        monkeypatch.setattr(threads, "openmp_team", teams[request.param])
    return str(request.param)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.usefixtures("three_threads")
def test_every_item_is_in_one_share(pool: str, count: int) -> None:
    taken: list[int] = []
    share(count, lambda first, last: taken.extend(range(first, last)))
    assert sorted(taken) == list(range(count)), pool


@pytest.mark.usefixtures("three_threads")
def test_what_goes_wrong_in_a_thread_is_raised(pool: str) -> None:
    def fail(first: int, last: int) -> None:
        raise ValueError(f"{first} to {last}")

    with pytest.raises(ValueError, match=" to "):
        share(6, fail)


@pytest.mark.skipif(openmp_team() is None, reason="torch is not linked to an OpenMP with GNU's call here")
@pytest.mark.usefixtures("three_threads")
def test_shares_run_at_the_same_time_on_the_threads_torch_uses() -> None:
    together = threading.Barrier(3, timeout=120)
    seen: set[int] = set()

    def meet(_first: int, _last: int) -> None:
        together.wait()
        seen.add(threading.get_native_id())

    share(3, meet)
    first = set(seen)
    seen.clear()
    share(3, meet)
    assert len(first) == 3
    assert seen == first
