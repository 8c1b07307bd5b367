"""How the soak judges what nodes have in memory, on samples that are made up."""

import random

import pytest

from tests.chaos.report import Part
from tests.chaos.sampling import Sample, Samples
from tests.chaos.soak import GROWTH_MIB_PER_HOUR_MAX, JUDGED_MINUTES_MIN, LONG_LIVED, WARM_UP_SHARE, tell_memory

RUN_MINUTES = 30.0
EVERY_S = 5.0


def life(minutes: float, mib_per_hour: float, *, noise_mib: float = 0.05, start_mib: float = 0.3) -> list[Sample]:
    """A process of 33 MiB that takes a bit more in its first two minutes, and then grows."""
    chance = random.Random(1)
    samples = []
    for number in range(int(60 * minutes / EVERY_S)):
        time_s = number * EVERY_S
        grown = start_mib * min(time_s / 120, 1.0) + mib_per_hour * time_s / 3_600
        rss = 33.0 + grown + chance.gauss(0, noise_mib)
        samples.append(Sample(time_s, rss, rss - 11.0, 20))
    return samples


def judged(**lives: list[Sample]) -> Part:
    """What is told of a run in which all else is flat."""
    part = Part("soak")
    flat = {name: life(RUN_MINUTES, 0.0) for name in LONG_LIVED}
    tell_memory(part, Samples({(name, 7): samples for name, samples in (flat | lives).items()}))
    return part


def test_nodes_that_stay_flat_are_good() -> None:
    part = judged()
    assert part.is_good
    assert len(part.figures) == 2 * len(LONG_LIVED)


@pytest.mark.parametrize("name", [*LONG_LIVED, "leaf2"])
def test_a_node_that_leaks_is_told(name: str) -> None:
    part = judged(**{name: life(RUN_MINUTES, 1.25 * GROWTH_MIB_PER_HOUR_MAX)})
    assert [text.split(" grows")[0] for text in part.faults["failed checks"]] == [
        f"{name} (pid 7, 23.9 min) rss",
        f"{name} (pid 7, 23.9 min) pss",
    ]


def test_a_node_that_leaks_is_told_after_the_shortest_life_that_is_judged() -> None:
    minutes = (JUDGED_MINUTES_MIN + 0.5) / (1 - WARM_UP_SHARE)
    assert not judged(leaf2=life(minutes, 1.25 * GROWTH_MIB_PER_HOUR_MAX)).is_good
    assert judged(leaf2=life(minutes, 0.0)).is_good


def test_a_short_life_is_reported_and_not_judged() -> None:
    part = judged(leaf2=life(8.0, 5 * GROWTH_MIB_PER_HOUR_MAX))
    assert part.is_good
    told = [value for name, value in part.figures.items() if name.startswith("leaf2")]
    assert len(told) == 2
    assert all(str(value).endswith("not judged") for value in told)


def test_a_slope_that_may_be_noise_is_no_growth() -> None:
    assert judged(middle=life(RUN_MINUTES, 1.25 * GROWTH_MIB_PER_HOUR_MAX, noise_mib=30.0)).is_good


@pytest.mark.parametrize("name", LONG_LIVED)
def test_a_node_without_a_long_life_is_a_fault(name: str) -> None:
    part = judged(**{name: life(8.0, 0.0)})
    assert part.faults["failed checks"] == [f"{name} has not lived for 15 min after its warm-up"]
