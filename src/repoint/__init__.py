"""Move a search system from one embedding model to another, with a way back."""
