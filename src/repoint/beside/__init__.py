"""Adopted collections of databases that neither join nor change a part of a row.

What repoint knows of a team's rows stands in a collection of its own, wholly beside them: no
row of the team's is ever rewritten for a note. ``AdoptedCollection`` is what all of these have
in common; a driver brings the two sides, ``TeamRows`` and ``Notes``.
"""
