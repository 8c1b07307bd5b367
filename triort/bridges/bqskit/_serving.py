"""What the command ``triort-bqskit-server`` runs."""

from __future__ import annotations

from collections.abc import Callable

from triort._client.opening import open_client
from triort.bridges.bqskit._compilations import open_own_cluster, open_workers_template
from triort.bridges.bqskit._gateway import Gateway, listen


async def serve_gateway(
    port: int,
    num_workers: int,
    address: str | None,
    access: str | None,
    blas_threads: int,
    on_listening: Callable[[Gateway], None],
) -> None:
    """Serve BQSKit's clients at this port until cancelled, by a cluster of one's own or the one at ``address``, for
    which ``access`` is a client's access file.

    Raises `StartupError`, `UsageError`, and `ConnectionLost` when the cluster is lost.
    """
    listeners = await listen(port)  # first: who starts a second one hears of it at once
    async with listeners[0]:
        if address is not None:
            async with open_client(address, access=access) as client:
                await Gateway(client, listeners).serve(on_listening)
            return
        with open_workers_template(blas_threads) as early:
            async with open_own_cluster(num_workers, blas_threads, early) as client:
                await Gateway(client, listeners).serve(on_listening)
