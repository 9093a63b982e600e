"""What repoint decides: pure values and rules, without I/O, clock or randomness."""
