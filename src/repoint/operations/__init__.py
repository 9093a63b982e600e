"""What repoint does: one verb a module, over ports alone."""
