"""How the shipped models were made: `python -m qcompile.models.train NAME` (needs torch and scikit-learn)."""
