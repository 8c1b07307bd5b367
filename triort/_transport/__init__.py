"""Connections that carry messages: TCP and Unix sockets, socketpairs, memory. One conformance suite holds them all."""
