"""A FAKE of a Weaviate server, for tests with the real client where there is no server.

It speaks the part of Weaviate's two protocols that the driver uses: the schema, aliases and
tenants over HTTP, objects over gRPC with the service stubs that the client library ships. It
was written by what a real server of version 1.39.0 answered, and is no Weaviate: whatever
passes here must also pass there (``REPOINT_WEAVIATE_URL``). Known to be different:

- every search compares with every vector; the real one follows a graph, and compares all only
  under a filter that lets few pass;
- BM25 has the real formula over one property, without the real one's pruning of candidates;
- of permissions only ``read_data`` is asked for, by a search; the rest a key opens, and there
  is no cluster: everything is known at once;
- a merge changes an object in one step; the real one reads an object's vectors first and writes
  all of them later, and an object of which any is written is in no search for a moment;
- an unknown property is never made by itself, an unknown class is: as an empty one, which is
  what the real server leaves behind when it then refuses the vectors.
"""
