"""Revisions of the control store's schema, applied by ``stores.sql.schema``."""
