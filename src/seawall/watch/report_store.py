"""Where a watcher keeps users' reports.  The rule: what is damaged is set aside, never believed.

A restart then begins with the stated prior, as on the first day, and says so.
"""

import os
import tempfile
from pathlib import Path

import structlog

from seawall.watch.user_reports import ReportTerms, UserReports

_LOG = structlog.get_logger(__name__)


class ReportStore:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, *, terms: ReportTerms | None = None, nodes: tuple[str, ...] = ()) -> UserReports:
        """Return the reports as they were saved, or none."""
        try:
            return UserReports(terms=terms, nodes=nodes, saved=self.path.read_bytes())
        except FileNotFoundError:
            pass
        except ValueError as error:
            aside = self.path.with_name(f"{self.path.name}.damaged")
            self.path.replace(aside)
            _LOG.warning("user_reports_damaged", error=str(error), kept_as=str(aside))
        return UserReports(terms=terms, nodes=nodes)

    def save(self, reports: UserReports) -> None:
        """Write them, never through a half-written state; OSError where that cannot be."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        body = reports.dump()
        with tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=".", delete=False) as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self.path)
