"""Plans as text: the same text for the same plan, readable, and one clear line for each thing that may be wrong."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.testing.plan_makers import batch, fault, job, plan, task
from triort._model.errors import UsageError
from triort.testing._plan.codec import dump_plan, load_plan
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Compute, Listen, Plan, Say

SAMPLE = plan(
    job(task(Compute(0.25), batch(task(Say(2)), task(Listen(1)), talk=1, timeout_s=3.0, retries=2)), task(fails=-1)),
    job(task(), name="j1", client="c1", at_s=0.5),
    faults=[fault("cut", "m0", 0.125), fault("half_open", "m1", 1.0, side="boss")],
    latency=["lan", "wan"],
    script={10: [1, 0], 2: [2, 0, 1]},
    buggify={"b": 0.5, "a": 0.25},
    found="0.1.0",
)


def reason(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        load_plan(text, "plan.json")
    line = str(caught.value)
    assert line.startswith("plan.json: ")
    assert "\n" not in line
    return line.removeprefix("plan.json: ")


def edited(edit: Callable[[Any], Any]) -> str:
    data = json.loads(dump_plan(SAMPLE))
    edit(data)
    return json.dumps(data)


def test_a_plan_comes_back_as_it_was() -> None:
    assert load_plan(dump_plan(SAMPLE), "here") == SAMPLE


def test_generated_plans_come_back_as_they_were_and_give_the_same_text_again() -> None:
    for seed in range(200):
        text = dump_plan(generated := generate(seed))
        assert load_plan(text, "here") == generated
        assert dump_plan(load_plan(text, "here")) == text


def test_the_text_is_short_and_ordered() -> None:
    lines = dump_plan(SAMPLE).splitlines()
    assert all(len(line) <= 120 for line in lines)
    assert '    {"at_s": 0.125, "kind": "cut", "target": "m0"},' in lines
    assert '  "buggify": {"a": 0.25, "b": 0.5},' in lines
    assert '  "script": {"2": [2, 0, 1], "10": [1, 0]},' in lines


def test_what_is_as_by_default_is_left_out_even_if_it_is_another_object() -> None:
    fresh = msgspec.convert(json.loads('{"name": "j0", "items": [], "crash_limit": 1000000, "at_s": 0.0}'), type(job()))
    assert '"crash_limit"' not in dump_plan(plan(fresh))


def test_a_whole_number_of_seconds_is_written_as_seconds() -> None:
    assert '{"type": "compute", "seconds": 1.0}' in dump_plan(plan(job(task(Compute(1)))))


def test_a_truncated_plan_is_reported_with_its_end() -> None:
    text = dump_plan(SAMPLE)
    for length in range(1, len(text) - 2, 7):
        line = reason(text[:length])
        assert line.startswith(("it is truncated", "it is not JSON", "it is empty")), line
    half = text[: text.index('"steps"') + 9]
    place = f"line {half.count(chr(10)) + 1}, column {len(half) - half.rindex(chr(10))}"
    assert reason(half) == f"it is truncated: it ends in the middle, at {place}"


def test_no_json_is_no_plan() -> None:
    assert reason("") == "it is empty, not a plan"
    assert reason("tree: [2]") == "it is not JSON: Expecting value at line 1, column 1"
    assert reason("[" * 100_000) == "it is nested too deeply for a plan"
    assert reason("1" * 10_000).startswith("it is not JSON: Exceeds the limit")
    assert reason("[1]") == "a plan is a JSON object, not a list"
    assert reason("null") == "a plan is a JSON object, not null"


def test_another_version_is_named_with_our_own() -> None:
    assert reason(edited(lambda data: data.update(version=1))) == (
        "it is of plan version 1, and this triort reads version 2"
    )
    assert "plan version None" in reason(edited(lambda data: data.pop("version")))
    assert "plan version True" in reason(edited(lambda data: data.update(version=True)))


def deep_lists(data: Any) -> None:
    """Tasks far below each other."""
    tasks = data["jobs"][0]["items"]
    for _ in range(70):
        name = tasks[0]["name"]
        tasks[0]["steps"] = [{"type": "batch", "children": [{"name": f"{name}.0.0", "steps": []}]}]
        tasks = tasks[0]["steps"][0]["children"]


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda data: data.update(seed="x"), "Expected `int`, got `str` - at `$.seed`"),
    (lambda data: data.update(sede=1), "Object contains unknown field `sede`"),
    (lambda data: data.pop("tree"), "Object missing required field `tree`"),
    (
        lambda data: data["jobs"][0]["items"][0]["steps"][0].update(seconds="1"),
        "Expected `float`, got `str` - at `$.jobs[0].items[0].steps[0].seconds`",
    ),
    (
        lambda data: data["jobs"][0]["items"][0]["steps"][1].update(tlak=1),
        "Object contains unknown field `tlak` - at `$.jobs[0].items[0].steps[1]`",
    ),
    (
        lambda data: data["jobs"][0]["items"][0]["steps"][0].update(type="sleep"),
        "Invalid value 'sleep' - at `$.jobs[0].items[0].steps[0].type`",
    ),
    (lambda data: data["faults"][0].update(kind="cutt"), "Invalid enum value 'cutt' - at `$.faults[0].kind`"),
    (
        lambda data: data["faults"].append({"at_s": 1, "kind": "cut", "target": "m0", "a\nb": 1}),
        "Object contains unknown field `a b` - at `$.faults[2]`",
    ),
    (lambda data: data.update(tree=[2, 0]), "the tree is a list of fan-outs of at least 1, workers last, not [2, 0]"),
    (deep_lists, "task j0.0" + ".0.0" * 60 + " is nested too deeply; at most 60 tasks lie one below the other"),
]


@pytest.mark.parametrize(("edit", "line"), WRONG, ids=[line[:40] for _, line in WRONG])
def test_a_wrong_type_or_field_is_named_by_its_path(edit: Callable[[Any], Any], line: str) -> None:
    assert reason(edited(edit)) == line


def test_a_plan_that_is_far_too_long_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triort.testing._plan.codec.PLAN_CHARS_MAX", 1000)
    assert reason(" " * 1001) == "1001 characters are too many for a plan; at most 1000"


def loaded(text: str) -> Plan | str:
    """The plan, or what is wrong with it."""
    try:
        return load_plan(text, "x")
    except UsageError as exc:
        return str(exc)


def test_arbitrary_damage_is_either_read_or_reported_in_one_line() -> None:
    text = dump_plan(SAMPLE)
    for position in range(0, len(text), 3):
        for new in ("", "}", '"', "9", "-"):
            found = loaded(text[:position] + new + text[position + 1 :])
            assert isinstance(found, Plan) or (found.startswith("x: ") and "\n" not in found)
