"""Single checks, each returning one finding with its figure; the verbs put them together."""
