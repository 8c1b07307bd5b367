"""Where a node's messages come from."""

import enum


class Direction(enum.Enum):
    """Where a message comes from."""

    ABOVE = "boss"
    BELOW = "employee"
    CLIENT = "client"
