"""Who may do what at the fake: its roles and the keys of its users.

Only reading objects is refused for want of a permission, as a search by an application's key
is; whoever has the server's own key may do everything.
"""

import re
from dataclasses import dataclass, field

from repoint.domain.document import Json

Permission = dict[str, Json]


@dataclass(kw_only=True)
class Access:
    """Roles by name, users by key."""

    #: The key of whoever may do everything; without one there are no roles.
    key: str
    roles: dict[str, list[Permission]] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    #: The roles of each user.
    held: dict[str, list[str]] = field(default_factory=dict)

    def knows(self, sent: str | None) -> bool:
        """Return whether a header opens the door."""
        return not self.key or sent in {f"Bearer {one}" for one in (self.key, *self.users)}

    def user(self, sent: str | None) -> str:
        """Return whose key it is; empty for the server's own."""
        return self.users.get(str(sent).removeprefix("Bearer "), "")

    def may_read(self, sent: str | None, kind: str) -> bool:
        """Return whether the objects of a class may be read."""
        user = self.user(sent)
        return not user or any(
            one["action"] == "read_data" and covers(one["data"], kind)
            for role in self.held.get(user, [])
            for one in self.roles.get(role, [])
        )

    def own(self, sent: str | None) -> Json:
        """Return what the server says of whoever asks."""
        user = self.user(sent)
        if not user:
            every = [everything(action) for action in ACTIONS]
            return {"username": "root", "groups": None, "roles": [_role("root", every)]}
        roles = [_role(name, self.roles[name]) for name in self.held.get(user, [])]
        return {"username": user, "groups": None, "roles": roles or None}  # type: ignore[dict-item]


ACTIONS = (
    *(f"{verb}_data" for verb in ("create", "read", "update", "delete")),
    *(f"{verb}_collections" for verb in ("create", "read", "update", "delete")),
    *(f"{verb}_aliases" for verb in ("create", "read", "update", "delete")),
    "read_tenants",
)


def everything(action: str) -> Permission:
    """Return a permission on all that an action can be done with."""
    domain = action.partition("_")[2]
    held: dict[str, Json] = {"collection": "*"}
    held |= {"tenant": "*"} if domain in {"data", "tenants"} else {}
    held |= {"alias": "*"} if domain == "aliases" else {}
    return {"action": action, domain: held}


def covers(held: Json, kind: str) -> bool:
    """Return whether a permission is for a class."""
    assert isinstance(held, dict)
    return re.fullmatch(str(held["collection"]).replace("*", ".*"), kind) is not None


def _role(name: str, permissions: list[Permission]) -> dict[str, Json]:
    return {"name": name, "permissions": list(permissions)}
