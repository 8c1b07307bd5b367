"""Plans as text: JSON that people can read and edit, and one clear line about what is wrong with it."""

from __future__ import annotations

import functools
import json
from typing import Any

import msgspec

from triort._model.errors import UsageError
from triort.testing._plan.check import check_plan as check_plan
from triort.testing._plan.plan import PLAN_VERSION, Plan

LINE_CHARS_MAX = 118
PLAN_CHARS_MAX = 1 << 28
REASON_CHARS_MAX = 300


def dump_plan(plan: Plan) -> str:
    """The plan as JSON: the same text for the same plan, and one line for whatever fits into one."""
    plan = msgspec.convert(msgspec.to_builtins(plan), Plan)  # 1 where 1.0 is meant is 1.0 from now on
    return "".join(_lines(_plain(plan), "", "")) + "\n"


def _plain(value: Any) -> Any:
    """The value as JSON has it, without fields that are as they are by default (which msgspec leaves out only if they
    are the very same object)."""
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        fields = {"type": tag} if tag is not None else {}
        for field, default in zip(value.__struct_fields__, _defaults(type(value)), strict=True):
            each = getattr(value, field)
            if each != default:
                fields[field] = _plain(each)
        return fields
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in sorted(value.items())}
    return value


@functools.cache
def _defaults(kind: type[msgspec.Struct]) -> list[object]:
    fields = msgspec.structs.fields(kind)
    return [field.default_factory() if callable(field.default_factory) else field.default for field in fields]


def _lines(value: Any, indent: str, key: str) -> list[str]:
    text = indent + key + json.dumps(value)
    if len(text) <= LINE_CHARS_MAX or not isinstance(value, dict | list) or not value:
        return [text]
    deeper = indent + "  "
    if isinstance(value, dict):
        entries = [_lines(each, deeper, json.dumps(name) + ": ") for name, each in value.items()]
    else:
        entries = [_lines(each, deeper, "") for each in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = [indent + key + opening + "\n"]
    for entry in entries:
        entry[-1] += ",\n"
        lines += entry
    lines[-1] = lines[-1][:-2] + "\n"
    return [*lines, indent + closing]


def load_plan(text: str, source: str) -> Plan:
    """The plan in ``text``, which has come from ``source``; raises `UsageError`, one line that names what is wrong."""
    if len(text) > PLAN_CHARS_MAX:
        raise UsageError(f"{source}: {len(text)} characters are too many for a plan; at most {PLAN_CHARS_MAX}")
    data = _parsed(text, source)
    if not isinstance(data, dict):
        raise UsageError(f"{source}: a plan is a JSON object, not {_kind_of(data)}")
    version = data.get("version")
    if version != PLAN_VERSION or isinstance(version, bool):
        raise UsageError(f"{source}: it is of plan version {version!r}, and this triort reads version {PLAN_VERSION}")
    try:
        plan = msgspec.convert(data, Plan, str_keys=True)
    except msgspec.ValidationError as exc:
        raise UsageError(f"{source}: {_one_line(exc)}") from None
    except RecursionError:
        raise UsageError(f"{source}: it is nested too deeply for a plan") from None
    check_plan(plan, source)
    return plan


def _parsed(text: str, source: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}"
        if not text.strip():
            raise UsageError(f"{source}: it is empty, not a plan") from None
        if exc.pos >= len(text.rstrip()) or exc.msg.startswith("Unterminated string"):
            raise UsageError(f"{source}: it is truncated: it ends in the middle, at {place}") from None
        raise UsageError(f"{source}: it is not JSON: {exc.msg} at {place}") from None
    except RecursionError:
        raise UsageError(f"{source}: it is nested too deeply for a plan") from None
    except ValueError as exc:  # a number of thousands of digits
        raise UsageError(f"{source}: it is not JSON: {_one_line(exc)}") from None


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split())[:REASON_CHARS_MAX]


def _kind_of(data: object) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(data), "null")
