"""What is stored: one model, or closely related pair, a file; no rules and no Flask."""

from models.audit import AuditEntry
from models.base import database
from models.dock import Dock
from models.event import Event
from models.organization import Organization, StatusCount
from models.rate import RateCount
from models.resource import RESOURCE_TABLES, Database, Domain, Resource, Server, WebService
from models.run import Run, Step
from models.share import ShareLink
from models.stack import Stack
from models.token import ApiToken
from models.user import Membership, Role, SetupLink, User

ALL_MODELS = (
    Organization, StatusCount, User, Role, Membership, SetupLink, ApiToken, AuditEntry, Dock, Stack, Run, Step,
    Server, WebService, Database, Domain, Event, ShareLink,
    RateCount,
)  # fmt: skip

__all__ = [
    "ALL_MODELS", "RESOURCE_TABLES", "ApiToken", "AuditEntry", "Database", "Dock", "Domain", "Event", "Membership",
    "Organization", "RateCount", "Resource", "Role", "Run", "Server", "SetupLink", "ShareLink", "Stack", "StatusCount",
    "Step", "User", "WebService", "database",
]  # fmt: skip
