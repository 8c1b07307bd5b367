"""The commands: triort, triort-server, triort-manager, triort-worker."""
