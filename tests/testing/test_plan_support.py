"""The core of a tree is found."""

import pytest

from tests.testing.plan_makers import fault
from triort.testing._plan.support import core_of, ends_a_manager, with_core


def test_only_a_manager_that_does_not_come_again_is_lost() -> None:
    kinds = ("cut", "vanish", "stale_incarnation", "crash_manager")
    assert [ends_a_manager(fault(kind, "m0")) for kind in kinds] == [False, False, False, True]
    assert not ends_a_manager(fault("crash_manager", "m0", for_s=1.0))


@pytest.mark.parametrize(
    ("tree", "broken", "core"),
    [
        ([4], [], []),
        ([2, 2], [], ["m0"]),
        ([2, 2], ["m0"], ["m1"]),
        ([2, 2], ["m0", "m1"], None),
        ([2, 2, 1], ["m0.m0", "m0.m1"], ["m1", "m1.m0"]),
        ([2, 2, 1], ["m0", "m1.m0"], ["m1", "m1.m1"]),
        ([2, 2, 1], ["m0.m1", "m0.m0", "m1"], None),
    ],
)
def test_the_core_is_the_first_whole_way(tree: list[int], broken: list[str], core: list[str] | None) -> None:
    faults = [fault("crash_manager", name) for name in broken]
    assert core_of(tree, faults) == core
    kept = with_core(tree, faults)
    assert core_of(tree, kept) is not None
    assert (kept == faults) == (core is not None)


def test_a_core_is_made_with_the_fewest_faults_taken_away() -> None:
    killed = [fault("crash_manager", "m0"), fault("crash_manager", "m1"), fault("crash_manager", "m1")]
    faults = [fault("cut", "m0"), *killed]
    assert with_core([2, 2], faults) == [faults[0], *faults[2:]]
