"""Why a robot waits, in one sentence."""

from contracts.messages.ops import RobotView, Wait


def sentence(robot: RobotView, chain: list[Wait], at_ms: int) -> str:
    """Say the chain of waits as a person would."""
    if not chain:
        return f"{robot.id} does not wait: it is {robot.state}{' and out of service' if robot.retired else ''}."
    says = f"{robot.id} ({robot.state})"
    for before, link in zip([None, *chain], chain, strict=False):
        since = f"{max(0, at_ms - link.since_ms) // 1000} s"
        itself = robot.id if before is None else before.holder
        if link.holder in {itself, link.resource}:
            says += f" has stood at {link.resource} for {since}"
        else:
            task = f" for {link.holder_task}" if link.holder_task else ""
            says += f" has waited for {link.resource} for {since}, which {link.holder} has{task}"
        says += f"; {link.holder}" if link is not chain[-1] else ""
    return f"{says}. It goes on when {chain[-1].until}."
