"""Barcode scanners that speak lines over TCP: `link` is the connection, `parse` reads what a line says."""
