"""What the processes say to each other: work, facts, the edges' messages, and what operators see and ask."""
