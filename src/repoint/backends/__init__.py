"""Databases that hold collections: one module or package each, none importing another."""
