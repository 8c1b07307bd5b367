"""Random draws by name: what is drawn under a name depends on the seed and that name alone.

One random generator for a whole run would tie every draw to all that came before it: take one task away, and everything
after it changes. So nothing here has a state. A draw is a hash of the seed and of a name that stays the same (a link
and the number of a frame; a task and a step). Figures are made by the four operations and square roots alone, which are
exact to the last bit everywhere, and not by a logarithm, which is not: a seed is the same plan on every machine.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

from triort._model.errors import UsageError
from triort.testing._plan.plan import LATENCIES

Name = str | int
T = TypeVar("T")

_BITS = 64
_UNIT = 2.0**-53
_LOG_2 = 0.6931471805599453
_LOG_SERIES = tuple(2.0 / divisor for divisor in range(19, 0, -2))
_HALF_ROOT = math.sqrt(0.5)


class Draws:
    """The draws of one seed. Names are strings and whole numbers; ``1`` and ``"1"`` are the same."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._hash = hashlib.blake2b(key=str(seed).encode()[:64], digest_size=_BITS // 8)

    def _bits(self, names: tuple[Name, ...]) -> int:
        state = self._hash.copy()
        state.update(("%s\0" * len(names) % names).encode())
        return int.from_bytes(state.digest(), "little")

    def unit(self, *names: Name) -> float:
        """A number from 0 to 1, without 1."""
        state = self._hash.copy()
        state.update(("%s\0" * len(names) % names).encode())
        return (int.from_bytes(state.digest(), "little") >> 11) * _UNIT

    def integer(self, n: int, *names: Name) -> int:
        """A number from ``range(n)``."""
        if n < 1:
            raise UsageError(f"integer() draws from at least one number, not from {n}")
        return self._bits(names) * n >> _BITS

    def between(self, first: int, last: int, *names: Name) -> int:
        """A whole number from ``first`` to ``last``, both included."""
        return first + self.integer(last - first + 1, *names)

    def choice(self, options: Sequence[T], *names: Name) -> T:
        """One of the options."""
        return options[self.integer(len(options), *names)]

    def uniform(self, a: float, b: float, *names: Name) -> float:
        """A number between ``a`` and ``b``, evenly."""
        return a + (b - a) * self.unit(*names)

    def chance(self, p: float, *names: Name) -> bool:
        """True with probability ``p``."""
        return self.unit(*names) < p

    def exponential(self, mean: float, *names: Name) -> float:
        """A waiting time: mostly short, seldom long, without bound."""
        return -mean * _log(1.0 - self.unit(*names))

    def heavy_tail(self, mean: float, at_most: float, *names: Name) -> float:
        """Mostly a quarter of ``mean`` or a little more, now and then many times it, but never above ``at_most``.

        ``mean`` is the mean of what would come without that bound."""
        root = math.sqrt(1.0 - self.unit(*names))
        # A Pareto distribution of exponent 4/3: its mean is four times its smallest value.
        return min(mean / 4.0 / (root * math.sqrt(root)), at_most)

    def latency(self, class_name: str, *names: Name) -> float:
        """How long a frame takes on a link of this class, in seconds; see `LATENCIES`."""
        bounds = LATENCIES.get(class_name)
        if bounds is None:
            raise UsageError(f"there is no latency class {class_name!r}; there are {', '.join(LATENCIES)}")
        low, high = bounds
        if low == high:
            return low
        part = self.unit(*names)
        if class_name == "tail":
            for _ in range(5):  # to the power of 32: one in ten takes more than 3 % of the way, one in a hundred 72 %
                part *= part
        return low + (high - low) * part


def _log(value: float) -> float:
    """The natural logarithm, by its series, so that it is the same everywhere."""
    mantissa, exponent = math.frexp(value)
    if mantissa < _HALF_ROOT:
        mantissa, exponent = 2.0 * mantissa, exponent - 1
    z = (mantissa - 1.0) / (mantissa + 1.0)
    square = z * z
    total = 0.0
    for each in _LOG_SERIES:
        total = total * square + each
    return z * total + exponent * _LOG_2
