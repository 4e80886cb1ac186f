"""Two people for wide steps.  The rule: nobody agrees twice, and nobody before the evidence.

An approval is for one stage.  It lapses when the plan steps back, and when a gate is measured to
fail: what was agreed to was another picture.
"""

from seawall.core.control import ladder
from seawall.core.control.announcements import say_of_plan
from seawall.core.control.look import Look, runs
from seawall.core.control.wording import same_name, wrong_person
from seawall.model.control_commands import ApproveStage
from seawall.model.control_events import PlanChanged
from seawall.model.control_rows import Plan
from seawall.model.events import CommandRejected
from seawall.model.posture import PlanStatus
from seawall.model.rejections import Rejection
from seawall.model.runbook import StageTerms


def approve_stage(look: Look, command: ApproveStage) -> None:
    """Let one more person agree to a plan's next stage."""
    plan = look.book.plans.get(command.plan_id)
    if plan is None:
        look.events.append(CommandRejected(Rejection.UNKNOWN_PLAN, str(command.plan_id)))
        return
    refusal = _refusal(look, plan, command)
    if refusal is not None:
        look.events.append(refusal)
        return
    plan.approvals[command.person] = command.role
    look.events.append(PlanChanged(plan))
    terms = ladder.next_terms(look, plan)
    facts = {
        "stage": command.stage.value,
        "role": command.role,
        "given": str(len(plan.approvals)),
        "needed": str(terms.approvals if terms else 0),
    }
    say_of_plan(look, plan, "approval_given", facts, person=command.person)


def _refusal(look: Look, plan: Plan, command: ApproveStage) -> CommandRejected | None:
    wrong = wrong_person(command.person) or wrong_person(command.role)
    if wrong:
        return CommandRejected(Rejection.INVALID_DEFINITION, wrong)
    if not runs(plan):
        return CommandRejected(Rejection.PLAN_ENDED, plan.status.value)
    terms = ladder.next_terms(look, plan)
    if terms is None or terms.stage is not command.stage or not terms.approvals:
        return CommandRejected(Rejection.WRONG_STAGE, terms.stage.value if terms else "")
    name = same_name(command.person)
    if any(same_name(person) == name for person in plan.approvals):
        return CommandRejected(Rejection.SAME_PERSON, command.person)
    if plan.status is not PlanStatus.APPROVAL:
        open_gates = [gate.gate for gate in plan.gates if not gate.passed]
        return CommandRejected(Rejection.WRONG_STATE, ", ".join(open_gates) or plan.status.value)
    return None


def enough(plan: Plan, terms: StageTerms) -> bool:
    """Whether as many different people have agreed as the stage needs."""
    return len(plan.approvals) >= terms.approvals
