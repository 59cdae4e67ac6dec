"""Check an audit trail: `audit verify`."""

import sys

from inference_endpoints_mcp.cli.settings.commands import AuditSettings
from inference_endpoints_mcp.policy.audit.collected import CollectedTrail, is_collected, verify_collected
from inference_endpoints_mcp.policy.audit.verification import TamperedError, verify

TAMPERED = 1
UNREADABLE = 2


def run_verify(settings: AuditSettings) -> int:
    try:
        if is_collected(settings.audit_file):
            _print_collected(verify_collected(settings.audit_file, settings.expect))
            return 0
        found = verify(settings.audit_file, settings.expect)
    except TamperedError as error:
        print(error, file=sys.stderr)
        return TAMPERED
    except OSError as error:
        print(f"{settings.audit_file} cannot be read: {error.strerror}.", file=sys.stderr)
        return UNREADABLE
    print(f"{found.lines} line(s), each as it was written. The last hash: {found.last or 'none'}")
    if not found.begins_at_first:
        print("The trail does not begin with its first line: older files have been deleted.")
    if found.torn:
        print(f"{found.torn} line(s) were not written to their end: their process was killed.")
    return 0


def _print_collected(found: CollectedTrail) -> None:
    ends = ", ".join(found.last) or "none"
    print(f"{found.lines} record(s) in {found.chains} chain(s), each as it was sent. The last hashes: {ends}")
    if not found.begins_at_first:
        print("The copy does not begin with the first record: what is older was written before, or is elsewhere.")
    if found.unchained:
        print(f"{found.unchained} record(s) have no hash: the audit file could not be written then.")
