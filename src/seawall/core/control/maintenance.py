"""Planned work.  The rule: it ends when people say so, not when its time is up."""

from seawall.core.control.look import Look
from seawall.core.control.wording import wrong_person, wrong_words
from seawall.model import limits
from seawall.model.control_commands import ScheduleMaintenance, UpdateMaintenance
from seawall.model.control_events import MaintenanceChanged
from seawall.model.control_rows import Maintenance, Update
from seawall.model.events import CommandRejected
from seawall.model.posture import IncidentPhase
from seawall.model.rejections import Rejection


def schedule(look: Look, command: ScheduleMaintenance) -> None:
    book = look.book
    wrong = wrong_person(command.person) or wrong_words(command.title_en, command.title_ar)
    if not wrong and not command.title_en.strip():
        wrong = "title_en"
    if not wrong and not (command.begins_ns < command.ends_ns and look.now < command.ends_ns):
        wrong = "it ends before it begins, or has ended already"
    unknown = [name for name in command.services if name not in book.services]
    planned = sum(1 for each in book.maintenances.values() if not each.completed_ns)
    if wrong:
        refusal = CommandRejected(Rejection.INVALID_DEFINITION, wrong)
    elif unknown:
        refusal = CommandRejected(Rejection.UNKNOWN_SERVICE, unknown[0])
    elif planned >= limits.MAINTENANCES:
        refusal = CommandRejected(Rejection.BOOK_FULL, "planned work")
    else:
        work = Maintenance(
            number=book.next_maintenance,
            title_en=command.title_en,
            title_ar=command.title_ar,
            services=list(dict.fromkeys(command.services)),
            begins_ns=command.begins_ns,
            ends_ns=command.ends_ns,
            person=command.person,
        )
        book.next_maintenance += 1
        book.maintenances[work.number] = work
        look.events.append(MaintenanceChanged(work))
        return
    look.events.append(refusal)


def update(look: Look, command: UpdateMaintenance) -> None:
    work = look.book.maintenances.get(command.maintenance)
    wrong = wrong_person(command.person) or wrong_words(command.words_en, command.words_ar)
    said = bool(command.words_en.strip() or command.words_ar.strip())
    if work is None:
        refusal = CommandRejected(Rejection.UNKNOWN_MAINTENANCE, str(command.maintenance))
    elif wrong or not (said or command.completed or command.ends_ns is not None):
        refusal = CommandRejected(Rejection.INVALID_DEFINITION, wrong or "nothing is said")
    elif work.completed_ns:
        refusal = CommandRejected(Rejection.WRONG_STATE, "it is completed")
    elif command.ends_ns is not None and command.ends_ns <= max(work.begins_ns, look.now):
        refusal = CommandRejected(Rejection.INVALID_DEFINITION, "ends_ns")
    else:
        # Nothing below may fail.
        work.ends_ns = command.ends_ns if command.ends_ns is not None else work.ends_ns
        work.completed_ns = look.now if command.completed else 0
        _say(look, work, command)
        look.events.append(MaintenanceChanged(work))
        return
    look.events.append(refusal)


def _say(look: Look, work: Maintenance, command: UpdateMaintenance) -> None:
    kind = "words"
    if command.completed:
        kind = "completed"
    elif command.ends_ns is not None:
        kind = "moved"
    number = work.updates[-1].number + 1 if work.updates else 1
    work.updates.append(
        Update(
            number=number,
            at_ns=look.now,
            phase=IncidentPhase.RESOLVED if command.completed else IncidentPhase.MONITORING,
            kind=kind,
            facts={"ends_ns": str(work.ends_ns)},
            services=list(work.services),
            words_en=command.words_en,
            words_ar=command.words_ar,
            person=command.person,
        )
    )
    if len(work.updates) > limits.MAINTENANCE_UPDATES:
        del work.updates[0]
