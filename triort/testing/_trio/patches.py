"""Replaces attributes of modules and classes for a while, also where they have been imported by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import attrs

_ABSENT = object()


@attrs.define(eq=False)
class Patches:
    """What is replaced at present."""

    _undo: list[tuple[object, str, object]] = attrs.field(factory=list, init=False)
    _pairs: dict[int, tuple[object, object]] = attrs.field(factory=dict, init=False)
    """By the id of the original: the original and its replacement."""
    _modules: frozenset[str] = attrs.field(factory=frozenset, init=False)

    def replace(self, owner: object, name: str, replacement: object) -> None:
        """Replace an attribute of a module or a class."""
        original = vars(owner).get(name, _ABSENT)
        self._undo.append((owner, name, original))
        setattr(owner, name, replacement)
        if isinstance(owner, ModuleType):
            self.replace_where_imported(original, replacement)

    def replace_where_imported(self, original: object, replacement: object) -> None:
        """Have this replaced by `replace_imported`."""
        self._pairs[id(original)] = (original, replacement)

    def replace_imported(self, wanted: Callable[[str], bool]) -> None:
        """Replace what modules have imported by name; only in those whose file is wanted."""
        self._modules = frozenset(sys.modules)
        for module in list(sys.modules.values()):
            file = _namespace(module).get("__file__")
            if isinstance(file, str) and wanted(file):
                self._exchange(module, self._pairs, remember=True)

    def restore(self) -> None:
        """Put all back, also in modules that were imported meanwhile."""
        for owner, name, original in reversed(self._undo):
            if original is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        backwards = {id(new): (new, old) for old, new in self._pairs.values()}
        for name in [name for name in sys.modules if name not in self._modules]:
            self._exchange(sys.modules[name], backwards, remember=False)

    def _exchange(self, module: ModuleType, pairs: dict[int, tuple[object, object]], *, remember: bool) -> None:
        namespace = _namespace(module)
        for name, value in list(namespace.items()):
            pair = pairs.get(id(value))
            if pair is not None:
                namespace[name] = pair[1]
                if remember:
                    self._undo.append((module, name, value))


def _namespace(module: ModuleType) -> dict[str, object]:
    """Its names; taken so that a lazy module does not import itself, and an odd object in `sys.modules` has none."""
    try:
        namespace = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return namespace if isinstance(namespace, dict) else {}
