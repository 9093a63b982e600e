"""Take alerts that were sent to an index's guard."""

from __future__ import annotations

from collections.abc import Sequence

from repoint.domain.access import Action
from repoint.domain.guarding import Alert
from repoint.domain.ids import IndexName
from repoint.operations.session import Session, authorise


def take_alerts(session: Session, index: IndexName, alerts: Sequence[Alert]) -> list[Alert]:
    """Store the alerts' newest states, and return those that are news.

    The same alert in the same state is no news, however often it is sent; news are on record.
    """
    authorise(session, Action.ALERT, index)
    news = []
    with session.store.begin() as tx:
        known = {one.fingerprint: one for one in tx.guarding.alerts(index)}
        for alert in alerts:
            before = known.get(alert.fingerprint)
            if before is None or before.firing != alert.firing:
                news.append(alert)
                tx.audit.append(
                    at=alert.received_at,
                    actor=session.actor,
                    action=Action.ALERT,
                    index=index,
                    details={
                        "alert": alert.name,
                        "fingerprint": alert.fingerprint,
                        "firing": alert.firing,
                    },
                )
            tx.guarding.put_alert(index, alert)
            known[alert.fingerprint] = alert
    return news
