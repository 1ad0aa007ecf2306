import asyncio

from catalog.folders import MadeRun
from windtunnel.catalog.catalog import Catalog
from windtunnel.ui.hub import Hub, Listener


def test_versions_grow_by_one_a_change(tmp_path):
    run = MadeRun(tmp_path / "p/one")
    hub = Hub(Catalog(tmp_path))
    versions = []
    for epoch in (1, 2, 3):
        run.train(epoch)
        hub._look()
        hub._look()
        versions.append(hub.version)
    assert versions == [1, 2, 3]


def test_a_page_that_does_not_read_is_let_go():
    async def follow():
        listener = Listener(asyncio.get_running_loop())
        for number in range(500):
            listener.tell(f"event {number}")
        await asyncio.sleep(0)
        events = []
        while (event := await listener.next(1.0)) is not None:
            events.append(event)
        return events

    assert len(asyncio.run(follow())) == 200


def test_silence_is_filled_with_comments():
    async def wait():
        return await Listener(asyncio.get_running_loop()).next(0.01)

    assert asyncio.run(wait()) == ": still here\n\n"
