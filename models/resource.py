"""The universal tables: what is provisioned, whatever provisions it."""

from __future__ import annotations

from peewee import SQL, BigIntegerField, ForeignKeyField, IntegerField, JSONField, TextField

from models.base import BaseModel, TypedIdField
from models.dock import Dock
from models.organization import Organization
from models.stack import Stack


class Resource(BaseModel):
    """What the four tables share.

    `provisioning_state` is provisioning, provisioned, failed, deprovisioning or null. `card_status`, `section` and
    `liveness` are what pages show, derived by `provisioning/` and kept here so that lists are answered from an index;
    `section` is null where no list shows the resource (deleted, or never provisioned through us).
    `claim_*` names the run and event that the state comes from; `planned_run` a run that plans to touch it.
    """

    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    dock = ForeignKeyField(Dock, null=True, on_delete="SET NULL", index=False)
    stack = ForeignKeyField(Stack, null=True, on_delete="SET NULL", index=False)
    address = TextField(default="")
    tool_type = TextField(default="")
    provider = TextField(default="")
    provider_resource_id = TextField(null=True)
    name = TextField()
    status = TextField(default="")
    full_api_data = JSONField(default=dict)
    provisioning_source = TextField(null=True)
    sst_resource_id = TextField(null=True)
    sst_stack_name = TextField(null=True)
    provisioning_state = TextField(null=True)
    operation = TextField(null=True)
    error_summary = TextField(default="")
    error_detail = TextField(default="")
    note = TextField(default="")
    waits_for = TextField(default="")

    run_id = TextField(null=True)
    claim_run = TextField(null=True)
    claim_at = BigIntegerField(null=True)
    planned_run = TextField(null=True)
    planned_action = TextField(null=True)
    planned_at = BigIntegerField(null=True)
    card_status = TextField(default="idle")
    section = IntegerField(null=True)
    liveness = TextField(default="")
    reason = TextField(default="")
    own_steps = IntegerField(default=0)
    own_steps_done = IntegerField(default=0)

    operation_started_at = BigIntegerField(null=True)
    operation_ended_at = BigIntegerField(null=True)
    provisioned_at = BigIntegerField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()
    state_changed_at = BigIntegerField()
    deleted_at = BigIntegerField(null=True)
    revision = BigIntegerField(default=0)


class Server(Resource):
    """A machine, a group of them or a cluster."""

    id = TypedIdField("srv")
    primary_ip_address = TextField(null=True)
    region = TextField(null=True)


class WebService(Resource):
    """Something that answers requests: a site, a function, a service, a load balancer."""

    id = TypedIdField("web")
    production_url = TextField(null=True)
    environment = TextField(null=True)
    git_repo = TextField(null=True)


class Database(Resource):
    """Something that keeps data and answers queries."""

    id = TypedIdField("db")
    engine = TextField(null=True)
    version = TextField(null=True)


class Domain(Resource):
    """A name: a zone, a record, a certificate."""

    id = TypedIdField("dom")
    domain_name = TextField(null=True)
    expires_at = BigIntegerField(null=True)


RESOURCE_TABLES: tuple[type[Resource], ...] = (Server, WebService, Database, Domain)

for _table in RESOURCE_TABLES:
    # The dashboard: section by section, most recently updated first.
    _table.add_index(
        _table.organization,
        _table.section,
        SQL("state_changed_at DESC"),
        SQL("id DESC"),
        name=f"{_table._meta.table_name}_dashboard",
    )
    # The list of operations, most recently updated first, and its keyset pages.
    _table.add_index(
        _table.organization,
        SQL("state_changed_at DESC"),
        SQL("id DESC"),
        where=(_table.section.is_null(False)),
        name=f"{_table._meta.table_name}_operations",
    )
    # The dashboard's filter: which providers there are, each found in one step.
    _table.add_index(_table.organization, _table.provider, name=f"{_table._meta.table_name}_of_provider")
    # Ingest, and a stack's page: the resource at an address of a stack.
    _table.add_index(
        _table.stack,
        _table.address,
        unique=True,
        where=(_table.stack.is_null(False)),
        name=f"{_table._meta.table_name}_address",
    )
    # get_provision_status by SST resource id.
    _table.add_index(_table.sst_resource_id, _table.organization, name=f"{_table._meta.table_name}_sst")
    # get_provision_status by provider resource id.
    _table.add_index(_table.provider_resource_id, _table.organization, name=f"{_table._meta.table_name}_provider")
    # Ingest from a dock: the resource with a provider's id.
    _table.add_index(
        _table.dock,
        _table.provider_resource_id,
        unique=True,
        where=(_table.dock.is_null(False)),
        name=f"{_table._meta.table_name}_dock",
    )
    # The watch: resources of a run that went quiet, was lost or came back.
    _table.add_index(_table.run_id, name=f"{_table._meta.table_name}_run")
