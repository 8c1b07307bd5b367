"""BQSKit on triort: `Compiler` in place of ``bqskit.compiler.Compiler``; passes stay as they are.

Inside the workers ``bqskit.runtime.get_runtime()`` gives triort's runtime. Needs BQSKit: ``pip install
'triort[bqskit]'``. Raises `ImportError` with one line where it is missing, or of a release that this was not made for.
"""

from triort.bridges.bqskit._check import check_bqskit

check_bqskit()

from triort.bridges.bqskit._compiler import Compiler as Compiler  # noqa: E402 - it cannot be imported without bqskit

__all__ = ["Compiler"]
