"""The Manager has the interface of its seed: every parameter, attribute and method, and a row in the docs for each."""

import inspect
import re
from collections import Counter
from pathlib import Path

import pytest

import triort

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "manager.md"

PARAMETERS = {"port": 7473, "num_workers": -1, "ipports": None, "worker_port": 7474, "only_connect": False}
ATTRIBUTES = ["upper_id_bound", "running", "sel", "logger", "employees", "conn_to_employee_dict"]
METHODS = {
    "assign_tasks": ["tasks"],
    "broadcast_cancel": ["addr"],
    "connect_to_manager": ["ip", "port", "lb", "ub"],
    "connect_to_managers": ["ipports"],
    "connect_to_workers": ["num_workers", "port"],
    "get_employee_responsible_for": ["worker_id"],
    "handle_disconnect": ["conn"],
    "handle_message": ["msg", "direction", "conn", "payload"],
    "handle_result_from_below": ["result"],
    "handle_shutdown": [],
    "handle_system_error": ["error_str"],
    "handle_update": ["conn", "task_diff"],
    "handle_waiting": ["conn", "new_idle_count"],
    "is_my_worker": ["worker_id"],
    "listen_once": ["ip", "port"],
    "run": [],
    "schedule_tasks": ["tasks"],
    "send_result_down": ["result"],
    "send_up_or_schedule_tasks": ["tasks"],
    "spawn_workers": ["num_workers", "port"],
    "update_upstream_idle_workers": [],
}
OPTIONAL = {"connect_to_workers", "spawn_workers"}
ASYNC = {"connect_to_manager", "connect_to_managers", "connect_to_workers", "listen_once", "run", "spawn_workers"}
TAKES_MORE = {"handle_result_from_below": ["conn"]}
"""What differs from the seed in what a caller has to give; the page tells why."""


def parameters(name: str) -> list[inspect.Parameter]:
    return list(inspect.signature(getattr(triort.Manager, name)).parameters.values())[1:]


def test_the_constructor_begins_with_the_seeds_parameters_and_defaults() -> None:
    given = parameters("__init__")
    ours = {each.name: each.default for each in given[: len(PARAMETERS)]}
    assert list(ours.items()) == list(PARAMETERS.items())
    assert {each.kind for each in given[: len(PARAMETERS)]} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert {each.kind for each in given[len(PARAMETERS) :]} == {inspect.Parameter.KEYWORD_ONLY}


def test_a_manager_is_a_server_base() -> None:
    assert issubclass(triort.Manager, triort.ServerBase)
    assert issubclass(triort.Server, triort.ServerBase)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_manager_has_the_attribute(name: str) -> None:
    assert hasattr(triort.Manager(), name)


def test_a_new_manager_has_the_whole_id_range_and_does_not_run() -> None:
    manager = triort.Manager()
    assert (manager.lower_id_bound, manager.upper_id_bound) == (0, 2**30)
    assert manager.running is False
    assert manager.employees == []
    assert manager.conn_to_employee_dict == {}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_what_the_seeds_takes(name: str) -> None:
    ours = parameters(name)
    wanted = [*METHODS[name], *TAKES_MORE.get(name, [])]
    assert [each.name for each in ours[: len(wanted)]] == wanted
    needed = [each.name for each in ours if each.default is inspect.Parameter.empty]
    assert needed == ([] if name in OPTIONAL else wanted)


def test_what_does_io_is_async_and_what_decides_is_not() -> None:
    assert {name for name in METHODS if inspect.iscoroutinefunction(getattr(triort.Manager, name))} == ASYNC


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(getattr(triort.Manager, name))


def test_each_name_of_the_seed_has_exactly_one_row_in_the_docs() -> None:
    rows = re.findall(r"^\| `(\w+)(?:\([^`]*\))?` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert Counter(rows) == Counter([*PARAMETERS, *ATTRIBUTES, *METHODS])
