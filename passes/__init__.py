"""Built-in passes, one a file, in stage folders."""
