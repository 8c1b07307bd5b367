"""The caller's side: sessions with a server, jobs, and the embedded cluster."""
