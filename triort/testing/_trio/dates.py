"""Stand-ins for `datetime.date` and `datetime.datetime` whose present moment is guarded.

The real classes are built in, so their methods cannot be replaced; and they must stay in their module, or no date
could be pickled. So it is the code under test that gets stand-ins, for the classes and for the module. They inherit
from the real classes, count the real instances as their own, and construct nothing but those: no instance of a stand-
in is left behind.
"""

from __future__ import annotations

import datetime as real
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias

REAL_DATE: TypeAlias = real.date
REAL_DATETIME: TypeAlias = real.datetime


class Present:
    """Who is told, with the function's name, before the present moment is; it may raise. Nobody, outside of a run."""

    check: Callable[[str], None] = staticmethod(lambda name: None)


class _Either(type):
    """Instances and subclasses of the real class are those of its stand-in."""

    def __instancecheck__(cls, instance: object) -> bool:
        return _Either.__subclasscheck__(cls, type(instance))

    def __subclasscheck__(cls, subclass: type) -> bool:
        base = cls.__bases__[0]
        return (
            issubclass(subclass, base) if base in (REAL_DATE, REAL_DATETIME) else type.__subclasscheck__(cls, subclass)
        )


class Date(REAL_DATE, metaclass=_Either):
    """Stands in for `datetime.date`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A real date."""
        return REAL_DATE(*args, **kwargs) if cls is Date else super().__new__(cls, *args, **kwargs)

    @classmethod
    def today(cls) -> Any:
        """Guarded."""
        Present.check("datetime.date.today")
        return REAL_DATE.today()


class DateTime(REAL_DATETIME, metaclass=_Either):
    """Stands in for `datetime.datetime`."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A real moment."""
        return REAL_DATETIME(*args, **kwargs) if cls is DateTime else super().__new__(cls, *args, **kwargs)

    @classmethod
    def today(cls) -> Any:
        """Guarded."""
        Present.check("datetime.datetime.today")
        return REAL_DATETIME.today()

    @classmethod
    def now(cls, tz: real.tzinfo | None = None) -> Any:
        """Guarded."""
        Present.check("datetime.datetime.now")
        return REAL_DATETIME.now(tz)

    @classmethod
    def utcnow(cls) -> Any:
        """Guarded."""
        Present.check("datetime.datetime.utcnow")
        return REAL_DATETIME.utcnow()


def stand_ins() -> list[tuple[object, object]]:
    """What the code under test may have imported, and what it gets instead."""
    module = ModuleType(real.__name__)
    vars(module).update(vars(real) | {"date": Date, "datetime": DateTime})
    return [(real, module), (REAL_DATE, Date), (REAL_DATETIME, DateTime)]
