"""The table of answers is complete, and the core of a tree is found."""

import pytest

from tests.testing.plan_makers import fault
from triort.testing._plan.plan import FaultKind
from triort.testing._plan.support import ANSWERED, EXPECTED, core_of, ends_a_manager, expected_of, with_core


def test_each_kind_has_an_answer_or_an_expectation() -> None:
    assert {*ANSWERED, *EXPECTED} == set(FaultKind)
    assert {*ANSWERED} & {*EXPECTED} == {FaultKind.ONE_WAY, FaultKind.CLOG}


def test_silence_is_answered_while_it_lasts_not_too_long() -> None:
    for kind in ("one_way", "clog"):
        assert expected_of(fault(kind, "m0", for_s=29.0)) is None
        for for_s in (30.0, 0.0):
            text = expected_of(fault(kind, "m0", for_s=for_s))
            assert text is not None
            assert "no heartbeats" in text
    assert expected_of(fault("cut", "m0")) is None
    assert "no journal" in str(expected_of(fault("crash_server", "s")))


def test_links_of_workers_and_clients_cost_no_manager() -> None:
    assert [ends_a_manager(fault("cut", target)) for target in ("m0", "m0.m1", "m0.w1", "c0")] == [
        True,
        True,
        False,
        False,
    ]
    assert ends_a_manager(fault("crash_manager", "m0"))
    assert not ends_a_manager(fault("clog", "m0", for_s=1.0))


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
    faults = [fault("close", name) for name in broken]
    assert core_of(tree, faults) == core
    kept = with_core(tree, faults)
    assert core_of(tree, kept) is not None
    assert (kept == faults) == (core is not None)


def test_a_core_is_made_with_the_fewest_faults_taken_away() -> None:
    faults = [fault("cut", "m0.w1"), fault("cut", "m0"), fault("cut", "m1"), fault("crash_manager", "m1")]
    assert with_core([2, 2], faults) == [faults[0], *faults[2:]]
