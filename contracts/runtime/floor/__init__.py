"""The Floor port: MQTT 3.1.1 to devices, robots and edges, with its memory twin."""

from contracts.runtime.floor.port import Floor, FloorConnector, Handler, Will

__all__ = ["Floor", "FloorConnector", "Handler", "Will"]
