"""Erase: a person's right to be forgotten, carried out in every place and proven in each."""

from repoint.operations.erase.erasing import ErasureReport, erase, finish_open, unfinished

__all__ = ["ErasureReport", "erase", "finish_open", "unfinished"]
