"""The nodes as trio nurseries: server, manager, worker; the template that forks workers; running user code."""
