"""Nobody believes the other end of a link to have a blob that it has not: tasks would start without their function."""

from __future__ import annotations

from triort._core.links import BlobStore, Link
from triort.testing._checkers.books import pairs
from triort.testing._run import Checker, World


class BlobsKnown(Checker):
    """Holds where the other end has read all batches that were sent to it, and has not yet forgotten the job."""

    name = "blobs_known"

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)

    def look(self) -> None:
        """Compare what is believed with what is there."""
        stores = {name: core.hops.blobs for name, core in self.world.nodes.items()}
        for name, employee, peer, above in pairs(self.world):
            if above.batch_read == employee.link.batch_sent:
                self._compare(name, employee.link, peer.hops.blobs, must_have_job=True)
            boss = name.rpartition(".")[0] or "s"
            if employee.link.batch_read == above.batch_sent and boss in stores:
                self._compare(boss, above, stores[boss], must_have_job=False)

    def _compare(self, peer: str, link: Link, store: BlobStore, *, must_have_job: bool) -> None:
        """A job that is unknown above may be over there, and its end on the way."""
        for job, digests in link.known.items():
            blobs = store.get(job)
            if blobs is None and not must_have_job:
                continue
            if blobs is None or not digests <= blobs.keys():
                self.fail(f"{peer} is believed to have blobs of job {job} that it has not")
