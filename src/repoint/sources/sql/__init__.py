"""Documents from tables and queries of SQL databases."""
