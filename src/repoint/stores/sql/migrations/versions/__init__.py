"""One module a revision; a revision never changes after it was published."""
