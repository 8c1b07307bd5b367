"""The page of memory that a simulated worker shares with its boss: a list."""

from triort._node.page import QUEUED


class SimPage:
    """The page that a worker shares with its boss."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        self.words = [0] * (QUEUED + 1)

    def say(self, text: str) -> None:
        """Nobody asks for it."""


class Silent:
    """What the boss cannot see of a simulated worker."""

    __slots__ = ()

    def memory_bytes(self) -> int:
        """It has none of its own."""
        return 0

    def last_words(self) -> str:
        """There are none."""
        return ""
