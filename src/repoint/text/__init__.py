"""How documents and questions become the texts that are embedded: steps, template, chunks."""
