"""Bridges: asking an old space through a living model, when its own is gone."""
