"""Where documents come from: files read as a stream, each record checked and named by line."""
