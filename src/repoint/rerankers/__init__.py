"""Rerankers: one module a driver, loaded when a release first needs it."""
