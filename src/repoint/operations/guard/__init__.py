"""The guard: look on a schedule, judge by declared triggers, act, and keep every reason."""
