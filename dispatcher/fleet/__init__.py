"""Fleet control over VDA 5050: one explicit state a robot, orders that only grow, vendors' quirks as data."""
