"""Under which numbers clients know jobs. A client that says a *token* is the same one on each of its links."""

from __future__ import annotations

import attrs

from triort._core.job import Job


@attrs.define(eq=False)
class Requests:
    """The jobs that clients have submitted or attached to, by client and by the client's own number for the job."""

    tokens: dict[object, object] = attrs.Factory(dict)
    """Of the links whose client has said one; another link stands for itself."""
    refused: dict[tuple[object, int], str] = attrs.Factory(dict)
    """Jobs that were refused and of which more is to come, and why."""
    jobs: dict[tuple[object, int], Job] = attrs.Factory(dict)

    def token_of(self, client: object) -> object:
        """What a client is known by."""
        return self.tokens.get(client, client)

    def links_of(self, token: object) -> list[object]:
        """The links of the client that has said this token."""
        return [client for client, its in self.tokens.items() if its == token]

    def find(self, client: object, request: int) -> Job | None:
        """The job that the client knows by this number."""
        return self.jobs.get((self.token_of(client), request))

    def enter(self, job: Job, client: object, request: int) -> None:
        """The client knows the job by this number from now on."""
        key = (self.token_of(client), request)
        if key not in self.jobs:
            job.requests.append(key)
            self.jobs[key] = job

    def forget(self, job: Job) -> None:
        """Nobody knows the job any more."""
        for key in job.requests:
            del self.jobs[key]
        job.requests.clear()

    def leave(self, client: object, watched: list[Job]) -> None:
        """The client has gone: of what it watched it may ask again only for what it has submitted."""
        token = self.token_of(client)
        self.tokens.pop(client, None)
        self.refused = {key: why for key, why in self.refused.items() if key[0] != token}
        for job in watched:
            for key in [key for key in job.requests if key[0] == token and key != (job.token, job.request)]:
                job.requests.remove(key)
                del self.jobs[key]
