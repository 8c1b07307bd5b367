"""CI's share of the attacks; ``python -m tests.security`` has them in full."""

import os

import pytest

from tests.security.__main__ import run_peers
from tests.security.fuzz import run_fuzz
from tests.security.hosts import run_hosts
from tests.security.pressure import run_exhausted, run_questions, run_stalled
from tests.security.records import run_records
from tests.security.sequences import run_sequences
from tests.security.stranger import run_stranger


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_frames_are_refused_with_protocol_error_alone(seed: int) -> None:
    figures, wrong = run_fuzz(5_000, seed)
    assert wrong == []
    assert figures["frames"] == 5_000
    assert figures["kinds of result"] > 100
    assert figures["ways through the parser"] > 150


@pytest.mark.parametrize("seed", [1, 2])
def test_no_sequence_of_a_members_messages_ends_a_node_or_harms_others(seed: int) -> None:
    figures, wrong = run_sequences(100, seed)
    assert wrong == []
    assert figures["taken"] > figures["refused"] > 0


@pytest.mark.processes
def test_no_bad_peer_is_let_in() -> None:
    figures, wrong = run_peers(5)
    assert wrong == []
    assert len(figures) == 10 + 2


@pytest.mark.processes
def test_floods_of_tls_records_hold_up_nobody() -> None:
    _, wrong = run_records(5_000)
    assert wrong == []


@pytest.mark.processes
def test_a_client_that_asks_and_reads_no_answer_is_hung_up_on() -> None:
    _, wrong = run_questions(100_000)
    assert wrong == []


@pytest.mark.processes
def test_stalled_handshakes_keep_out_nobody_and_go() -> None:
    _, wrong = run_stalled(300, rounds=10)
    assert wrong == []


@pytest.mark.processes
def test_a_server_whose_descriptors_were_used_up_serves_again() -> None:
    _, wrong = run_exhausted(64)
    assert wrong == []


@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.slow  # it takes the default ports
def test_another_user_finds_nothing() -> None:
    _, wrong = run_stranger()
    assert wrong == []


@pytest.mark.processes
def test_members_on_other_hosts_meet_and_a_stranger_there_hears_nothing() -> None:
    figures, wrong = run_hosts()
    if "left out" in figures:
        pytest.skip(figures["left out"])
    assert wrong == []
    assert figures["the client's task"] == str(os.cpu_count())
