"""Filling in what a release spec leaves to its model, before the release is fixed for good."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from repoint.domain.errors import BadSpecError
from repoint.domain.spec import ReleaseSpec


def complete(
    draft: ReleaseSpec,
    *,
    dimensions: int,
    revision: str,
    remote: bool,
    libraries: Mapping[str, str],
) -> ReleaseSpec:
    """Return the spec with dimensions, digest and library versions as they are here.

    ``dimensions`` and ``revision`` are the opened model's own. A local model's revision is
    its digest; a remote one has no digest, and its revision is taken when the draft names
    none.

    Raises:
        BadSpecError: the draft says otherwise: more dimensions than the model has, or the
            digest of other files.
    """
    model = draft.model
    if model.dimensions > dimensions:
        why = f"the model has {dimensions} dimensions, not {model.dimensions}"
        hint = f"write dimensions: {dimensions}, or leave it out"
        raise BadSpecError(source="release spec", field="model.dimensions", why=why, hint=hint)
    if not remote and model.digest not in {"", revision}:
        why = f"the model's files here have the digest {revision}"
        hint = "get the files that the spec names, or leave the digest out for a new release"
        raise BadSpecError(source="release spec", field="model.digest", why=why, hint=hint)
    return dataclasses.replace(
        draft,
        model=dataclasses.replace(
            model,
            dimensions=model.dimensions or dimensions,
            digest=model.digest if remote else revision,
            revision=(model.revision or revision) if remote else model.revision,
        ),
        libraries=dict(libraries),
    )
