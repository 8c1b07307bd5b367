"""Who belongs to a cluster: its own authority, its certificates, and the access files that hold them."""
