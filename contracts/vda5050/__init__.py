"""VDA 5050: the messages between a master control and its vehicles, by protocol version, and their topics."""
