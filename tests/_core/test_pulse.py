"""When the ends of a link between machines beat, stall, dial again and give up."""

from __future__ import annotations

import heapq
import math
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triort._core.pulse import PATIENCE_S, Act, Pulse, Role
from triort._model.limits import (
    FENCE_MARGIN_S,
    FENCE_S,
    GRACE_S,
    HEARTBEAT_S,
    LEASE_S,
    REDIAL_S,
    REDIAL_WAIT_FIRST_S,
    REDIAL_WAIT_MAX_S,
    STALL_S,
    STOP_S,
)

BEAT, STALL, DIAL, END = Act.BEAT, Act.STALL, Act.DIAL, Act.END


def test_the_boss_waits_until_its_employee_has_stopped_and_a_margin() -> None:
    assert FENCE_S == STOP_S + GRACE_S + FENCE_MARGIN_S
    assert PATIENCE_S == {Role.BOSS: FENCE_S, Role.EMPLOYEE: STOP_S, Role.SERVER: LEASE_S, Role.CLIENT: STOP_S}
    assert 2 * HEARTBEAT_S < STALL_S < STOP_S


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.CLIENT])
def test_the_lower_end_beats_at_once_and_then_every_few_seconds(role: Role) -> None:
    pulse = Pulse(role, dials=False, heard_at=0.0)
    assert pulse.decide(0.0) == [BEAT]
    assert pulse.beat(0.0) == (1, 0)
    assert pulse.decide(HEARTBEAT_S - 0.01) == []
    assert pulse.next_deadline() == HEARTBEAT_S
    assert pulse.decide(HEARTBEAT_S) == [BEAT]
    assert pulse.beat(HEARTBEAT_S) == (2, 0)


@pytest.mark.parametrize("role", [Role.BOSS, Role.SERVER])
def test_the_upper_end_answers_each_beat_once_and_asks_nothing(role: Role) -> None:
    pulse = Pulse(role, dials=True, heard_at=0.0)
    assert pulse.decide(HEARTBEAT_S) == []
    pulse.heard(6.0, number=3)
    assert pulse.next_deadline() == -math.inf
    assert pulse.decide(6.0) == [BEAT]
    assert pulse.beat(6.0) == (0, 3)
    assert pulse.decide(6.0) == []
    assert pulse.next_deadline() == 6.0 + STALL_S - HEARTBEAT_S


def test_the_upper_end_hears_any_message() -> None:
    pulse = Pulse(Role.BOSS, dials=True, heard_at=0.0)
    pulse.heard(10.0)
    assert pulse.decide(STALL_S) == []
    assert pulse.decide(10.0 + STALL_S - HEARTBEAT_S) == [STALL, DIAL]


def test_a_dialler_above_dials_again_before_the_lower_end_gives_up() -> None:
    lower, upper = Pulse(Role.EMPLOYEE, dials=False, heard_at=0.0), Pulse(Role.BOSS, dials=True, heard_at=0.0)
    lower.beat(0.0)
    lower.heard(0.0, echo=1)
    lower.beat(HEARTBEAT_S)
    upper.heard(HEARTBEAT_S, number=2)  # its answer, and all that follows, is lost
    upper.beat(HEARTBEAT_S)
    lower.broken(HEARTBEAT_S)
    assert upper.next_deadline() + REDIAL_S < lower.next_deadline()


def test_the_lower_end_counts_from_when_it_sent_what_was_answered() -> None:
    pulse = Pulse(Role.EMPLOYEE, dials=False, heard_at=0.0)
    pulse.beat(5.0)
    pulse.beat(10.0)
    pulse.heard(12.0)  # a message that answers nothing says nothing
    assert pulse.heard_at == 0.0
    pulse.heard(12.0, echo=1)
    assert pulse.heard_at == 5.0
    pulse.heard(13.0, echo=2)
    pulse.heard(14.0, echo=1)  # and an echo counts once
    pulse.heard(14.0, echo=99)
    assert pulse.heard_at == 10.0


def test_a_silent_connection_is_given_up_and_the_listener_waits() -> None:
    pulse = Pulse(Role.EMPLOYEE, dials=False, heard_at=0.0)
    pulse.beat(0.0)
    pulse.beat(STALL_S - 1)
    assert pulse.decide(STALL_S) == [STALL]
    assert pulse.is_broken
    assert pulse.next_deadline() == STOP_S
    assert pulse.decide(STOP_S - 0.01) == []
    assert pulse.decide(STOP_S) == [END]
    assert pulse.is_over
    assert pulse.decide(STOP_S + 1) == []
    assert pulse.next_deadline() == math.inf


def test_the_dialler_dials_at_once_and_then_with_growing_waits() -> None:
    pulse = Pulse(Role.BOSS, dials=True, heard_at=0.0)
    pulse.broken(1.0)
    assert pulse.decide(1.0) == [DIAL]
    assert pulse.decide(1.0) == []
    assert pulse.next_deadline() == FENCE_S
    pulse.failed(1.0)
    assert pulse.next_deadline() == 1.0 + REDIAL_WAIT_FIRST_S
    now, times = 1.0, []
    while END not in (acts := pulse.decide(now)):
        if acts:
            times.append(now)
            pulse.failed(now)
        now = pulse.next_deadline()
    gaps = [round(b - a, 6) for a, b in pairwise(times)]
    assert gaps == sorted(gaps)
    assert max(gaps) == REDIAL_WAIT_MAX_S
    assert now == FENCE_S


def test_after_the_next_break_it_dials_at_once_again() -> None:
    pulse = Pulse(Role.BOSS, dials=True, heard_at=0.0)
    pulse.broken(1.0)
    for now in (1.0, 2.0, 3.0):
        assert pulse.decide(now) == [DIAL]
        pulse.failed(now)
    assert pulse.decide(4.0) == [DIAL]
    pulse.resumed(4.0, asked_at=4.0)
    assert pulse.decide(4.0) == []
    pulse.broken(5.0)
    assert pulse.decide(5.0) == [DIAL]


def test_a_fresh_connection_of_the_lower_end_has_its_time_though_nothing_is_confirmed() -> None:
    pulse = Pulse(Role.EMPLOYEE, dials=False, heard_at=0.0)
    pulse.broken(10.0)
    pulse.resumed(14.0)
    assert pulse.decide(14.0) == [BEAT]
    pulse.beat(14.0)
    assert pulse.decide(STALL_S) == []
    assert pulse.decide(STOP_S) == [END]  # but it has to be confirmed in time, all the same


def test_an_answered_hello_confirms_the_lower_end_that_dials() -> None:
    pulse = Pulse(Role.EMPLOYEE, dials=True, heard_at=0.0)
    pulse.broken(10.0)
    assert pulse.decide(10.0) == [DIAL]
    pulse.resumed(14.0, asked_at=13.0)
    assert pulse.heard_at == 13.0


def test_what_was_asked_over_a_broken_connection_is_not_answered_over_the_next() -> None:
    pulse = Pulse(Role.BOSS, dials=True, heard_at=0.0)
    pulse.heard(1.0, number=1)
    pulse.broken(1.0)
    pulse.resumed(2.0, asked_at=2.0)
    assert pulse.decide(2.0) == []


def test_a_client_that_was_busy_elsewhere_dials_before_it_gives_up() -> None:
    pulse = Pulse(Role.CLIENT, dials=True, heard_at=0.0)
    assert pulse.decide(1_000.0) == [STALL, DIAL]
    assert pulse.next_deadline() == 1_000.0 + STOP_S
    pulse.resumed(1_001.0, asked_at=1_000.0)
    assert pulse.decide(1_001.0) == [BEAT]


# -- the fence, on any network -------------------------------------------------------------------------------------


class Network:
    """An employee, its boss, and what lies between them: each message takes its time, or is lost."""

    def __init__(self, delays: list[float | None], dials: Role) -> None:
        self.delays = delays
        self.ends = {role: Pulse(role, dials=role is dials, heard_at=0.0) for role in (Role.BOSS, Role.EMPLOYEE)}
        self.over: dict[Role, float] = {}
        self.events: list[tuple[float, int, Role, Any]] = []
        self.number = count()
        self.connection = 0
        self.now = 0.0

    def send(self, now: float, to: Role, *what: object) -> None:
        number = next(self.number)
        delay = self.delays[number % len(self.delays)]
        if delay is not None:
            heapq.heappush(self.events, (now + delay, number, to, what))

    def run(self, until: float) -> None:
        while True:
            at = {role: pulse.next_deadline() for role, pulse in self.ends.items()}
            now = min([*at.values(), *[event[0] for event in self.events[:1]]])
            self.now = now = max(now, self.now)
            if now > until:
                return
            while self.events and self.events[0][0] <= now:
                _, _, role, what = heapq.heappop(self.events)
                if not self.ends[role].is_over:
                    self.take(now, role, *what)
            for role, pulse in self.ends.items():
                for act in pulse.decide(now):
                    self.do(now, role, pulse, act)

    def do(self, now: float, role: Role, pulse: Pulse, act: Act) -> None:
        other = Role.EMPLOYEE if role is Role.BOSS else Role.BOSS
        match act:
            case Act.BEAT:
                self.send(now, other, "beat", self.connection, *pulse.beat(now))
            case Act.STALL:
                self.send(now, other, "break", self.connection)
            case Act.DIAL:
                self.connection += 1
                self.send(now, other, "hello", self.connection, now)
                pulse.failed(now)
            case Act.END:
                self.over[role] = now

    def take(self, now: float, role: Role, what: object, connection: object, *rest: float) -> None:
        pulse = self.ends[role]
        if connection != self.connection:
            return
        match what:
            case "beat" if not pulse.is_broken:
                pulse.heard(now, int(rest[0]), int(rest[1]))
            case "break":
                pulse.broken(now)
            case "hello":
                pulse.resumed(now)
                self.send(now, Role.EMPLOYEE if role is Role.BOSS else Role.BOSS, "welcome", connection, rest[0])
            case "welcome":
                pulse.resumed(now, asked_at=rest[0])


@given(
    st.lists(st.one_of(st.none(), st.floats(0.0, 40.0), st.floats(0.0, 0.1)), min_size=1, max_size=60),
    st.sampled_from([Role.BOSS, Role.EMPLOYEE]),
)
def test_the_employee_has_stopped_when_the_boss_gives_up(delays: list[float | None], dials: Role) -> None:
    network = Network(delays, dials)
    network.run(400.0)
    if Role.BOSS in network.over:
        stopped = network.over[Role.EMPLOYEE] + GRACE_S
        assert stopped <= network.over[Role.BOSS] - FENCE_MARGIN_S + 1e-9


def test_a_network_that_delivers_keeps_the_link() -> None:
    network = Network([0.01], Role.BOSS)
    network.run(1_000.0)
    assert network.over == {}
