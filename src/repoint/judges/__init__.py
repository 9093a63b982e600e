"""Judges of groundedness and makers of answers: one module a driver, loaded when asked for."""
