"""Runs trees of Python tasks over a tree of processes, by trio's rules.

Each name is imported when it is first used: a worker needs few of them, and must start fast.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triort._client.client import Client as Client
    from triort._client.embedded import open_cluster as open_cluster
    from triort._client.embedded import run as run
    from triort._client.executor import Executor as Executor
    from triort._client.jobs import Job as Job
    from triort._client.jobs import JobStatus as JobStatus
    from triort._client.opening import open_client as open_client
    from triort._client.pool_errors import BrokenPool as BrokenPool
    from triort._model.errors import ConnectionLost as ConnectionLost
    from triort._model.errors import JobRejected as JobRejected
    from triort._model.errors import OutOfMemory as OutOfMemory
    from triort._model.errors import ProtocolError as ProtocolError
    from triort._model.errors import RemoteError as RemoteError
    from triort._model.errors import StartupError as StartupError
    from triort._model.errors import TaskCancelled as TaskCancelled
    from triort._model.errors import TaskCrashed as TaskCrashed
    from triort._model.errors import TaskInterrupted as TaskInterrupted
    from triort._model.errors import TaskTimeout as TaskTimeout
    from triort._model.errors import TriortError as TriortError
    from triort._model.errors import UsageError as UsageError
    from triort._model.messages import NodeStatus as NodeStatus
    from triort._node.futures import Future as Future
    from triort._node.manager import Manager as Manager
    from triort._node.runtime import Runtime as Runtime
    from triort._node.runtime import get_runtime as get_runtime
    from triort._node.runtime import open_nursery as open_nursery
    from triort._node.server import Server as Server
    from triort._node.server_base import ServerBase as ServerBase
    from triort._version import __version__ as __version__
else:
    from triort._lazy import list_names as __dir__  # noqa: F401
    from triort._lazy import load_name as __getattr__  # noqa: F401

del TYPE_CHECKING
