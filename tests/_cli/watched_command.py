"""Runs the main function of a command, as another version of triort if one is named; dies if anything is unpickled, and
tells at the end what has been imported.

Arguments: the module of the command, the version or "", the command's own arguments.
"""

import importlib
import os
import sys


def watch(event: str, args: object) -> None:
    if event == "pickle.find_class":
        os.write(2, f"unpickled: {args}\n".encode())
        os._exit(99)


def main() -> int:
    sys.addaudithook(watch)
    module, version, *words = sys.argv[1:]
    if version:
        importlib.import_module("triort._node.handshake").__version__ = version  # type: ignore[attr-defined]
    sys.argv = [module, *words]
    code: int = importlib.import_module(module).main(words)
    print("imported:", *sorted({"cloudpickle", "rich"} & set(sys.modules)))
    return code


if __name__ == "__main__":
    sys.exit(main())
