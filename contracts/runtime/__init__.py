"""What every process needs to run: the two ports, the clock, settings, logging, supervised services."""
