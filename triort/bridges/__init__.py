"""Public: triort behind the interfaces of other libraries, each with an extra of its own."""
