"""Deep Chat proxy."""
