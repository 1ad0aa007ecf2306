"""Live peak and CUDA reservation of lists of allocations, against slow but obvious counts."""

from hypothesis import given
from hypothesis import strategies as st

from windtunnel.dispatch.estimate.allocators import CudaCache, Event, find_peak

MIB = 2**20


@st.composite
def histories(draw):
    """Blocks of any size that come and go."""
    events, live = [], []
    for block in range(draw(st.integers(1, 40))):
        if live and draw(st.booleans()):
            gone, size = live.pop(draw(st.integers(0, len(live) - 1)))
            events.append(Event(gone, -size))
        size = draw(st.integers(1, 30 * MIB))
        live.append((block, size))
        events.append(Event(block, size))
    return events


@given(histories())
def test_peak_is_the_largest_prefix_sum_and_its_shares_add_up(events):
    labels = {event.block: f"label {event.block % 3}" for event in events}
    peak = find_peak(events, labels)
    sums = [sum(event.size for event in events[: end + 1]) for end in range(len(events))]
    assert peak.bytes == max(sums) == sum(peak.shares.values())


@given(histories())
def test_reserved_holds_every_live_block_and_never_more_than_a_segment_each(events):
    reserved = CudaCache().run(events)
    taken = [event.size for event in events if event.size > 0]
    assert find_peak(events, {}).bytes <= reserved <= sum(max(20 * MIB, size + 2 * MIB) for size in taken)


@given(histories())
def test_once_all_is_given_back_the_largest_block_fits_again(events):
    left = {}
    for event in events:
        left[event.block] = left.get(event.block, 0) + event.size
    cache = CudaCache()
    reserved = cache.run([*events, *(Event(block, -size) for block, size in left.items() if size)])
    assert cache.run([Event(-1, max(event.size for event in events))]) == reserved


def test_reservation_follows_the_published_rules():
    small, medium, large = CudaCache(), CudaCache(), CudaCache()
    assert small.run([Event(0, 1), Event(1, MIB)]) == 2 * MIB
    assert medium.run([Event(0, 2 * MIB), Event(1, 9 * MIB), Event(2, 9 * MIB)]) == 20 * MIB
    assert large.run([Event(0, 11 * MIB), Event(0, -11 * MIB), Event(1, 12 * MIB)]) == 12 * MIB
