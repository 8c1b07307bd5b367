"""Where the names of the facade come from, for `triort.__getattr__`; type checkers read the facade itself."""

import importlib
import sys
from typing import Any

WHERE = {
    "Client": "triort._client.client",
    "open_cluster": "triort._client.embedded",
    "run": "triort._client.embedded",
    "Executor": "triort._client.executor",
    "Job": "triort._client.jobs",
    "JobStatus": "triort._client.jobs",
    "open_client": "triort._client.opening",
    "BrokenPool": "triort._client.pool_errors",
    "ConnectionLost": "triort._model.errors",
    "JobRejected": "triort._model.errors",
    "OutOfMemory": "triort._model.errors",
    "ProtocolError": "triort._model.errors",
    "RemoteError": "triort._model.errors",
    "StartupError": "triort._model.errors",
    "TaskCancelled": "triort._model.errors",
    "TaskCrashed": "triort._model.errors",
    "TaskInterrupted": "triort._model.errors",
    "TaskTimeout": "triort._model.errors",
    "TriortError": "triort._model.errors",
    "UsageError": "triort._model.errors",
    "NodeStatus": "triort._model.messages",
    "Future": "triort._node.futures",
    "Manager": "triort._node.manager",
    "Runtime": "triort._node.runtime",
    "get_runtime": "triort._node.runtime",
    "open_nursery": "triort._node.runtime",
    "Server": "triort._node.server",
    "ServerBase": "triort._node.server_base",
    "__version__": "triort._version",
}


def load_name(name: str) -> Any:
    """Import a name of the API, and keep it in the facade; raises `AttributeError` for others."""
    if name not in WHERE:
        raise AttributeError(f"module 'triort' has no attribute {name!r}")
    value = getattr(importlib.import_module(WHERE[name]), name)
    setattr(sys.modules["triort"], name, value)
    return value


def list_names() -> list[str]:
    """For `dir`."""
    return sorted({*vars(sys.modules["triort"]), *WHERE})
