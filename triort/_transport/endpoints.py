"""How endpoints are written: ``HOST:PORT``, and ``[HOST]:PORT`` for IPv6."""

from triort._model.errors import UsageError

_PORT_MAX = 65_535


def parse_endpoint(text: str, default_port: int | None = None, *, any_port: bool = False) -> tuple[str, int]:
    """Split ``HOST:PORT``, ``HOST`` (with ``default_port``) or ``[IPV6]:PORT``.

    Port 0, for a port that the system picks, is allowed with ``any_port``. Raises `UsageError` in one line.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        well_formed = bool(bracket) and (not rest or rest.startswith(":"))
        has_port, port_text = bool(rest), rest[1:]
    else:
        host, colon, port_text = text.partition(":")
        well_formed, has_port = ":" not in port_text, bool(colon)
    if not well_formed or not host or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(f"{quote(text)} is not an address; write HOST:PORT, or [HOST]:PORT for IPv6")
    if not has_port:
        if default_port is None:
            raise UsageError(f"{quote(text)} names no port; write HOST:PORT")
        return host, default_port
    lowest = 0 if any_port else 1
    if not port_text.isdigit() or len(port_text) > 5 or not lowest <= int(port_text) <= _PORT_MAX:
        raise UsageError(f"{quote(port_text)} in {quote(text)} is not a port; ports are {lowest} to {_PORT_MAX}")
    return host, int(port_text)


def show_endpoint(host: str, port: int) -> str:
    """``HOST:PORT``, as `parse_endpoint` reads it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def quote(text: str) -> str:
    """What somebody has written, escaped and capped."""
    return ascii(text if len(text) <= 100 else text[:97] + "...")
