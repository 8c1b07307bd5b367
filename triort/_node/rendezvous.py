"""Workers that connect by themselves (``only_connect``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triort._node.server_base import ServerBase


async def gather_workers(node: ServerBase, num_workers: int, port: int) -> None:
    raise NotImplementedError
