"""From messages to bytes and back: frames for everybody, payloads for those who may unpickle."""
