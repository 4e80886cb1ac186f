"""What is told to those who asked for it.  The rule: an update is one notice, with one key."""

from msgspec import Struct

from seawall.model.status_document import (
    IncidentLine,
    MaintenanceLine,
    StatusDocument,
    UpdateLine,
)
from seawall.status import addresses
from seawall.status.statuspage import said
from seawall.status.text import Text
from seawall.status.words import Words


class Notice(Struct, frozen=True, kw_only=True):
    """One update of an incident or of planned work; or that such work was planned."""

    key: str
    """`incident/7/update/3`: of it everyone is told once."""
    thread: str
    """`incident/7`: what belongs together."""
    at_ns: int
    path: str
    """Of its page."""
    incident: IncidentLine | None = None
    maintenance: MaintenanceLine | None = None
    update: UpdateLine | None = None

    def title(self, words: Words) -> Text:
        if self.incident is not None:
            return words.title(self.incident)
        if self.maintenance is not None:
            return words.maintenance_title(self.maintenance)
        return Text()

    def phase(self, words: Words) -> str:
        """Return where the incident stood with this update."""
        if self.update is not None and self.incident is not None:
            return words.book.phases[self.update.phase]
        if self.maintenance is not None:
            status = self.maintenance.status
            return words.book.maintenances.get(status, status)
        return ""

    def body(self, words: Words) -> str:
        """Return what is said, as plain text."""
        if self.update is not None:
            return said(words, self.update)
        if self.maintenance is not None:
            begin = words.time(self.maintenance.begins_ns)
            end = words.time(self.maintenance.ends_ns)
            return words("maintenance_announced", begin=begin, end=end).plain()
        return ""

    @property
    def services(self) -> tuple[str, ...]:
        if self.update is not None and self.update.services:
            return self.update.services
        line = self.incident or self.maintenance
        return () if line is None else line.services


def notices(document: StatusDocument) -> list[Notice]:
    """Return everything that was ever told and is still in the document, the oldest first."""
    found: dict[str, Notice] = {}
    for line in document.incidents:
        thread = f"incident/{line.number}"
        for update in line.updates:
            key = f"{thread}/update/{update.number}"
            found[key] = Notice(
                key=key,
                thread=thread,
                at_ns=update.at_ns,
                path=addresses.incident(line.number),
                incident=line,
                update=update,
            )
    for planned in document.maintenances:
        thread = f"maintenance/{planned.number}"
        # Nobody says when it was announced; who hears of it first now is told now.
        found[thread] = Notice(
            key=thread,
            thread=thread,
            at_ns=min(document.at_ns, planned.begins_ns),
            path=f"{addresses.INDEX}#maintenance",
            maintenance=planned,
        )
        for update in planned.updates:
            key = f"{thread}/update/{update.number}"
            found[key] = Notice(
                key=key,
                thread=thread,
                at_ns=update.at_ns,
                path=f"{addresses.INDEX}#maintenance",
                maintenance=planned,
                update=update,
            )
    return sorted(found.values(), key=lambda each: (each.at_ns, each.key))
