"""Sharing out is the same as giving one task after the other to whoever has least."""

from hypothesis import given
from hypothesis import strategies as st

from triort._core.sharing import Queue, share_out


def one_by_one(queues: list[Queue], count: int, cost_us: int) -> list[int]:
    shares = [0] * len(queues)
    for _ in range(count):
        _, least = min(
            (queue.load_us + shares[i] * cost_us / queue.num_workers, i)
            for i, queue in enumerate(queues)
            if shares[i] < queue.room
        )
        shares[least] += 1
    return shares


queues_of = st.lists(
    st.builds(Queue, st.integers(0, 4_000).map(float), st.sampled_from([1, 2, 4, 64]), st.integers(0, 60)),
    min_size=1,
    max_size=8,
)


@given(queues_of, st.integers(0, 200), st.sampled_from([1, 2, 32, 500, 4_096]))
def test_the_shares_are_those_of_one_by_one(queues: list[Queue], count: int, cost_us: int) -> None:
    count = min(count, sum(queue.room for queue in queues))
    assert share_out(queues, count, cost_us) == one_by_one(queues, count, cost_us)


def test_many_tasks_are_shared_evenly() -> None:
    assert share_out([Queue(0.0, 1, 1_000), Queue(0.0, 1, 1_000)], 2_000, 2) == [1_000, 1_000]
    assert share_out([Queue(0.0, 1, 1_000), Queue(500.0, 2, 1_000)], 600, 2) == [367, 233]


def test_nothing_is_shared_among_those_without_room() -> None:
    assert share_out([Queue(0.0, 1, 0), Queue(9.0, 1, 5)], 3, 10) == [0, 3]
