"""What a planted bug is: a name, the tier that has to find it, and the lines of the product that it changes.

A bug rewrites the source of one function, or of a few, and puts the code that comes of it into the function that is
there: so whoever holds that function, by import or in a table of handlers, runs the bug while it is planted. Lines are
named by their text, once: who changes such a line of the product is told at once, and has to plant anew.

    @mutant("a lost item is not submitted again")
    def items_lost():
        return rewrite(JobBooks.lose, ("self._again(job, attempt)", "pass"))
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType, FunctionType
from typing import Any

import attrs

from triort._model.errors import UsageError


@attrs.frozen
class Change:
    """One function, and what is replaced in its source."""

    function: Any
    replacements: tuple[tuple[str, str], ...]

    @property
    def file(self) -> str:
        """The file that it changes, from the top of the project."""
        module: str = self.function.__module__
        return module.replace(".", "/") + ".py"

    def code(self) -> CodeType:
        """The code with the bug in it; raises `UsageError` for a text that is not there exactly once."""
        function = self.function
        source = textwrap.dedent(inspect.getsource(function))
        for old, new in self.replacements:
            if source.count(old) != 1:
                where = f"{self.file}, {function.__qualname__}"
                raise UsageError(f"{where}: {old!r} is there {source.count(old)} times; plant the bug anew")
            source = source.replace(old, new)
        return _compiled(source, function)

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The function has the bug, for the time of the block."""
        code, before = self.code(), self.function.__code__
        self.function.__code__ = code
        try:
            yield
        finally:
            self.function.__code__ = before


def _compiled(source: str, function: FunctionType) -> CodeType:
    """The code of a function with this source, which uses what the function uses from outside."""
    outside = function.__code__.co_freevars
    source = textwrap.indent(source, " ")
    module = (
        f"from __future__ import annotations\ndef make({', '.join(outside)}):\n{source}\n return {function.__name__}"
    )
    tree = ast.parse(module)
    made = tree.body[1]
    assert isinstance(made, ast.FunctionDef)
    assert isinstance(made.body[0], ast.FunctionDef | ast.AsyncFunctionDef)
    made.body[0].decorator_list = []
    names: dict[str, Any] = {}
    exec(compile(tree, f"planted in {function.__module__}", "exec"), names)
    code: CodeType = names["make"](*outside).__code__
    return code.replace(co_qualname=function.__code__.co_qualname)


def rewrite(function: Any, *replacements: tuple[str, str]) -> Change:
    """A change of a function or method."""
    return Change(inspect.unwrap(function), replacements)


@attrs.frozen
class Mutant:
    """A planted bug."""

    name: str
    tier: int
    changes: tuple[Change, ...]

    @property
    def files(self) -> str:
        """The files that it changes."""
        return ", ".join(dict.fromkeys(change.file for change in self.changes))

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The product has this bug, for the time of the block."""
        with ExitStack() as stack:
            for change in self.changes:
                stack.enter_context(change.planted())
            yield


MUTANTS: dict[str, Mutant] = {}
"""All that have been made, by name."""


def mutant(name: str, *, tier: int = 1) -> Callable[[Callable[[], Change | tuple[Change, ...]]], Mutant]:
    """Plant a bug: what the function returns is changed, and this tier has to find it."""

    def decorate(make: Callable[[], Change | tuple[Change, ...]]) -> Mutant:
        changes = make()
        assert name not in MUTANTS, name
        MUTANTS[name] = made = Mutant(name, tier, changes if isinstance(changes, tuple) else (changes,))
        return made

    return decorate
