"""A pass, an observer and a target for qcompile, found through the entry points in pyproject.toml."""
