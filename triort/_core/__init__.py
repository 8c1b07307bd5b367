"""The pure cores: an event goes in, state changes, and what is to be sent is left in an outbox. No I/O, no clock."""
