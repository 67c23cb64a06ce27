"""Which way robots drive, and when they may."""
