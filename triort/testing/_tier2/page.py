"""The page of memory that a simulated worker shares with its boss: a list."""


class SimPage:
    """The page that a worker shares with its boss."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        self.words = [0] * 8
