"""What other rules than DORA ask.  The rule: a duty of unknown facts is shown as possible."""

from msgspec import Struct

from seawall.status.regulators.conditions import Condition, Met, all_of, any_of, missing_of, stated
from seawall.status.regulators.facts import Facts


class Duty(Struct, frozen=True, kw_only=True):
    """One thing that may have to be done."""

    name: str
    regime: str
    source: str
    title: str
    limit: str
    """In words."""
    under: Met
    """Whether the entity is under these rules."""
    met: Met
    """Whether the incident is one of those; NO also where the entity is not under the rules."""
    conditions: tuple[Condition, ...]
    missing: tuple[str, ...] = ()


def duties(facts: Facts) -> tuple[Duty, ...]:
    return (_mica(facts), _vara(facts), _disruption(facts), _cyber(facts), _extortion(facts))


def _mica(facts: Facts) -> Duty:
    source = "(EU) 2025/299 Art. 4"
    ledger = stated(
        "ledger", source, "a permissionless distributed ledger is disrupted",
        "duties.permissionless_ledger", facts.duties.permissionless_ledger,
    )  # fmt: skip
    return _duty(
        "mica_clients", "mica", source, "Additional information to clients", "no clock was found",
        facts.regimes.mica, ledger.met, ledger,
    )  # fmt: skip


def _vara(facts: Facts) -> Duty:
    source = "VARA Technology and Information Rulebook, K.1"
    cyber = stated("cyber", source, "a cybersecurity event", "cyber.event", facts.cyber.event)
    plan = stated(
        "plan", source, "an event that triggers the continuity or recovery plan",
        "duties.continuity_plan", facts.duties.continuity_plan,
    )  # fmt: skip
    material = stated(
        "material", source, "it materially impacts business operations",
        "duties.material_to_operations", facts.duties.material_to_operations,
    )  # fmt: skip
    return _duty(
        "vara_notice", "vara", source, "Report to VARA", "72 hours from detection",
        facts.regimes.vara, all_of((any_of((cyber.met, plan.met)), material.met)),
        cyber, plan, material,
    )  # fmt: skip


def _disruption(facts: Facts) -> Duty:
    source = "23 NYCRR 200.17(d)"
    obligations = stated(
        "obligations", source, "it may affect the ability to fulfil regulatory obligations",
        "duties.obligations_at_risk", facts.duties.obligations_at_risk,
    )  # fmt: skip
    adverse = stated(
        "adverse", source, "a significant adverse effect on licensee, counterparties or market",
        "duties.significant_adverse_effect", facts.duties.significant_adverse_effect,
    )  # fmt: skip
    return _duty(
        "nydfs_disruption", "nydfs", source, "Notice of a disruption", "promptly",
        facts.regimes.nydfs, any_of((obligations.met, adverse.met)), obligations, adverse,
    )  # fmt: skip


def _cyber(facts: Facts) -> Duty:
    source = "23 NYCRR 500.17(a)"
    event = stated("event", source, "a cybersecurity event", "cyber.event", facts.cyber.event)
    notice = stated(
        "notice", f"{source}, 500.1", "a government body must be notified",
        "duties.notice_to_government", facts.duties.notice_to_government,
    )  # fmt: skip
    harm = stated(
        "harm", f"{source}, 500.1", "likely material harm to a material part of operations",
        "duties.material_to_operations", facts.duties.material_to_operations,
    )  # fmt: skip
    ransom = stated(
        "ransomware", f"{source}, 500.1", "ransomware within a material part of the systems",
        "cyber.ransomware", facts.cyber.ransomware,
    )  # fmt: skip
    return _duty(
        "nydfs_cyber", "nydfs", source, "Notice of a cybersecurity incident",
        "72 hours from determining it", facts.regimes.nydfs,
        all_of((event.met, any_of((notice.met, harm.met, ransom.met)))),
        event, notice, harm, ransom,
    )  # fmt: skip


def _extortion(facts: Facts) -> Duty:
    source = "23 NYCRR 500.17(c)"
    event = stated("event", source, "a cybersecurity event", "cyber.event", facts.cyber.event)
    paid = facts.moments.extortion_paid
    payment = Condition(
        name="payment", source=source, text="an extortion payment was made",
        met=Met.YES if paid is not None else Met.UNKNOWN,
        missing=() if paid is not None else ("moments.extortion_paid",),
    )  # fmt: skip
    return _duty(
        "nydfs_extortion", "nydfs", source, "Notice of an extortion payment",
        "24 hours from the payment", facts.regimes.nydfs,
        Met.YES if paid is not None else all_of((event.met, Met.UNKNOWN)), event, payment,
    )  # fmt: skip


def _duty(
    name: str,
    regime: str,
    source: str,
    title: str,
    limit: str,
    under: bool | None,
    met: Met,
    *conditions: Condition,
) -> Duty:
    is_under = Met.UNKNOWN if under is None else (Met.YES if under else Met.NO)
    if is_under is Met.NO:
        met = Met.NO
    missing = missing_of(conditions) if met is Met.UNKNOWN else ()
    if is_under is Met.UNKNOWN:
        missing = (f"regimes.{regime}", *missing)
    return Duty(
        name=name, regime=regime, source=source, title=title, limit=limit, under=is_under, met=met,
        conditions=conditions, missing=missing,
    )  # fmt: skip
