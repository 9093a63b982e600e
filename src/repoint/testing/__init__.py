"""The conformance kit: suites that every backend, embedder and store is held to."""
