"""Four small models with data."""
