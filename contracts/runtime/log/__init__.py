"""The Log port: append, read from, last per key, request and reply (NATS JetStream), with its memory twin."""

from contracts.runtime.log.port import Delivery, Entry, Log

__all__ = ["Delivery", "Entry", "Log"]
