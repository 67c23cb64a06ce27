"""The audit row of a command, written in the transaction of its effect."""

AUDIT = (
    "INSERT INTO audit (at, who, role, action, subject, reason, correlation, detail)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb)"
)
"""Arguments: at, who, role, action, subject, reason, correlation, detail (JSON text or None)."""
