"""The protocols over which twins are served: Modbus TCP, OPC UA, lines over TCP, raw ZPL, pictures over HTTP."""
