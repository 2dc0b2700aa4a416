-- The first schema. Types are those that SQLite and PostgreSQL both know; {json} is TEXT or JSON.
-- Indexes are explained in the models.
CREATE TABLE "organization" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "slug" TEXT NOT NULL,
    "revision" BIGINT NOT NULL,
    "created_at" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "organization_slug" ON "organization" ("slug");

CREATE TABLE "status_count" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "card_status" TEXT NOT NULL,
    "count" INTEGER NOT NULL
);
CREATE UNIQUE INDEX "status_count_organization_id_card_status" ON "status_count" ("organization_id", "card_status");

CREATE TABLE "user" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "password_hash" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    "last_signed_in_at" BIGINT,
    "disabled" BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX "user_email" ON "user" ("email");

CREATE TABLE "role" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "name" TEXT NOT NULL,
    "provisioning" TEXT NOT NULL,
    "docks" TEXT NOT NULL,
    "settings" TEXT NOT NULL
);
CREATE UNIQUE INDEX "role_organization_id_name" ON "role" ("organization_id", "name");

CREATE TABLE "membership" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "user_id" TEXT NOT NULL REFERENCES "user" ("id") ON DELETE CASCADE,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "role_id" TEXT NOT NULL REFERENCES "role" ("id") ON DELETE RESTRICT,
    "created_at" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "membership_user_id_organization_id" ON "membership" ("user_id", "organization_id");
CREATE INDEX "membership_organization_id_created_at" ON "membership" ("organization_id", "created_at");
CREATE INDEX "membership_role_id" ON "membership" ("role_id");

CREATE TABLE "setup_link" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "token_hash" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "used_at" BIGINT
);
CREATE UNIQUE INDEX "setup_link_token_hash" ON "setup_link" ("token_hash");

CREATE TABLE "api_token" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "name" TEXT NOT NULL,
    "token_hash" TEXT NOT NULL,
    "prefix" TEXT NOT NULL,
    "scopes" TEXT NOT NULL,
    "created_by_id" TEXT REFERENCES "user" ("id") ON DELETE SET NULL,
    "created_at" BIGINT NOT NULL,
    "expires_at" BIGINT,
    "last_used_at" BIGINT,
    "revoked_at" BIGINT
);
CREATE UNIQUE INDEX "api_token_token_hash" ON "api_token" ("token_hash");
CREATE INDEX "api_token_organization_id_created_at" ON "api_token" ("organization_id", "created_at");

CREATE TABLE "audit_entry" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT REFERENCES "organization" ("id") ON DELETE CASCADE,
    "user_id" TEXT REFERENCES "user" ("id") ON DELETE SET NULL,
    "actor" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "detail" TEXT NOT NULL,
    "at" BIGINT NOT NULL
);
CREATE INDEX "audit_entry_organization_id_at_id" ON "audit_entry" ("organization_id", "at", "id");

CREATE TABLE "dock" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "name" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "credentials" TEXT,
    "sync_status" TEXT NOT NULL,
    "synced_at" BIGINT,
    "sync_error" TEXT,
    "backoff" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "dock_organization_id_name" ON "dock" ("organization_id", "name");

CREATE TABLE "stack" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "engine" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "lost_after_ms" BIGINT,
    "last_run_at" BIGINT NOT NULL,
    "state_lineage" TEXT NOT NULL,
    "state_serial" BIGINT,
    "state_made_at" BIGINT,
    "revision" BIGINT NOT NULL,
    "created_at" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "stack_organization_id_engine_name" ON "stack" ("organization_id", "engine", "name");
CREATE INDEX "stack_organization_id_last_run_at_id" ON "stack" ("organization_id", "last_run_at", "id");

CREATE TABLE "run" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "stack_id" TEXT REFERENCES "stack" ("id") ON DELETE SET NULL,
    "dock_id" TEXT REFERENCES "dock" ("id") ON DELETE SET NULL,
    "key" TEXT NOT NULL,
    "engine" TEXT NOT NULL,
    "engine_version" TEXT NOT NULL,
    "command" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "commit" TEXT NOT NULL,
    "job_url" TEXT NOT NULL,
    "phase" TEXT NOT NULL,
    "outcome" TEXT,
    "liveness" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "planned_count" INTEGER NOT NULL,
    "running_count" INTEGER NOT NULL,
    "completed_count" INTEGER NOT NULL,
    "failed_count" INTEGER NOT NULL,
    "interrupted_count" INTEGER NOT NULL,
    "total_known" BOOLEAN NOT NULL,
    "error_summary" TEXT NOT NULL,
    "started_at" BIGINT NOT NULL,
    "ended_at" BIGINT,
    "last_word_at" BIGINT NOT NULL,
    "longest_silence_ms" BIGINT NOT NULL,
    "log_lines" INTEGER NOT NULL,
    "log_removed_at" BIGINT,
    "end_code" TEXT,
    "closed_by" TEXT NOT NULL,
    "received" {json} NOT NULL,
    "fold" {json} NOT NULL,
    "clock_offset_ms" BIGINT NOT NULL,
    "revision" BIGINT NOT NULL
);
CREATE UNIQUE INDEX "run_organization_id_key" ON "run" ("organization_id", "key");
CREATE INDEX "run_organization_id_started_at_id" ON "run" ("organization_id", "started_at", "id");
CREATE INDEX "run_stack_id_started_at_id" ON "run" ("stack_id", "started_at", "id");
CREATE INDEX "run_phase_liveness_last_word_at" ON "run" ("phase", "liveness", "last_word_at");
CREATE INDEX "run_log_removed_at_ended_at" ON "run" ("log_removed_at", "ended_at");

CREATE TABLE "step" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "run_id" TEXT NOT NULL REFERENCES "run" ("id") ON DELETE CASCADE,
    "position" INTEGER NOT NULL,
    "address" TEXT NOT NULL,
    "tool_type" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "replacing" BOOLEAN NOT NULL,
    "imported" BOOLEAN NOT NULL,
    "parent" TEXT NOT NULL,
    "is_component" BOOLEAN NOT NULL,
    "resource" TEXT,
    "state" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "waits_for" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "diagnostic" {json},
    "planned_at" BIGINT,
    "started_at" BIGINT,
    "ended_at" BIGINT,
    "last_event_at" BIGINT
);
CREATE UNIQUE INDEX "step_run_id_address_action" ON "step" ("run_id", "address", "action");
CREATE INDEX "step_run_id_position" ON "step" ("run_id", "position");
CREATE INDEX "step_resource_last_event_at" ON "step" ("resource", "last_event_at");

CREATE TABLE "server" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "dock_id" TEXT REFERENCES "dock" ("id") ON DELETE SET NULL,
    "stack_id" TEXT REFERENCES "stack" ("id") ON DELETE SET NULL,
    "address" TEXT NOT NULL,
    "tool_type" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "provider_resource_id" TEXT,
    "name" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "full_api_data" {json} NOT NULL,
    "provisioning_source" TEXT,
    "sst_resource_id" TEXT,
    "sst_stack_name" TEXT,
    "provisioning_state" TEXT,
    "operation" TEXT,
    "error_summary" TEXT NOT NULL,
    "error_detail" TEXT NOT NULL,
    "note" TEXT NOT NULL,
    "waits_for" TEXT NOT NULL,
    "run_id" TEXT,
    "claim_run" TEXT,
    "claim_at" BIGINT,
    "planned_run" TEXT,
    "planned_action" TEXT,
    "planned_at" BIGINT,
    "card_status" TEXT NOT NULL,
    "section" INTEGER,
    "liveness" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "own_steps" INTEGER NOT NULL,
    "own_steps_done" INTEGER NOT NULL,
    "operation_started_at" BIGINT,
    "operation_ended_at" BIGINT,
    "provisioned_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "state_changed_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "revision" BIGINT NOT NULL,
    "primary_ip_address" TEXT,
    "region" TEXT
);
CREATE INDEX "server_dashboard" ON "server" ("organization_id", "section", state_changed_at DESC, id DESC);
CREATE INDEX "server_operations" ON "server" ("organization_id", state_changed_at DESC, id DESC) WHERE ("section" IS NOT NULL);
CREATE INDEX "server_of_provider" ON "server" ("organization_id", "provider");
CREATE UNIQUE INDEX "server_address" ON "server" ("stack_id", "address") WHERE ("stack_id" IS NOT NULL);
CREATE INDEX "server_sst" ON "server" ("sst_resource_id", "organization_id");
CREATE INDEX "server_provider" ON "server" ("provider_resource_id", "organization_id");
CREATE UNIQUE INDEX "server_dock" ON "server" ("dock_id", "provider_resource_id") WHERE ("dock_id" IS NOT NULL);
CREATE INDEX "server_run" ON "server" ("run_id");

CREATE TABLE "web_service" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "dock_id" TEXT REFERENCES "dock" ("id") ON DELETE SET NULL,
    "stack_id" TEXT REFERENCES "stack" ("id") ON DELETE SET NULL,
    "address" TEXT NOT NULL,
    "tool_type" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "provider_resource_id" TEXT,
    "name" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "full_api_data" {json} NOT NULL,
    "provisioning_source" TEXT,
    "sst_resource_id" TEXT,
    "sst_stack_name" TEXT,
    "provisioning_state" TEXT,
    "operation" TEXT,
    "error_summary" TEXT NOT NULL,
    "error_detail" TEXT NOT NULL,
    "note" TEXT NOT NULL,
    "waits_for" TEXT NOT NULL,
    "run_id" TEXT,
    "claim_run" TEXT,
    "claim_at" BIGINT,
    "planned_run" TEXT,
    "planned_action" TEXT,
    "planned_at" BIGINT,
    "card_status" TEXT NOT NULL,
    "section" INTEGER,
    "liveness" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "own_steps" INTEGER NOT NULL,
    "own_steps_done" INTEGER NOT NULL,
    "operation_started_at" BIGINT,
    "operation_ended_at" BIGINT,
    "provisioned_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "state_changed_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "revision" BIGINT NOT NULL,
    "production_url" TEXT,
    "environment" TEXT,
    "git_repo" TEXT
);
CREATE INDEX "web_service_dashboard" ON "web_service" ("organization_id", "section", state_changed_at DESC, id DESC);
CREATE INDEX "web_service_operations" ON "web_service" ("organization_id", state_changed_at DESC, id DESC) WHERE ("section" IS NOT NULL);
CREATE INDEX "web_service_of_provider" ON "web_service" ("organization_id", "provider");
CREATE UNIQUE INDEX "web_service_address" ON "web_service" ("stack_id", "address") WHERE ("stack_id" IS NOT NULL);
CREATE INDEX "web_service_sst" ON "web_service" ("sst_resource_id", "organization_id");
CREATE INDEX "web_service_provider" ON "web_service" ("provider_resource_id", "organization_id");
CREATE UNIQUE INDEX "web_service_dock" ON "web_service" ("dock_id", "provider_resource_id") WHERE ("dock_id" IS NOT NULL);
CREATE INDEX "web_service_run" ON "web_service" ("run_id");

CREATE TABLE "database" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "dock_id" TEXT REFERENCES "dock" ("id") ON DELETE SET NULL,
    "stack_id" TEXT REFERENCES "stack" ("id") ON DELETE SET NULL,
    "address" TEXT NOT NULL,
    "tool_type" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "provider_resource_id" TEXT,
    "name" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "full_api_data" {json} NOT NULL,
    "provisioning_source" TEXT,
    "sst_resource_id" TEXT,
    "sst_stack_name" TEXT,
    "provisioning_state" TEXT,
    "operation" TEXT,
    "error_summary" TEXT NOT NULL,
    "error_detail" TEXT NOT NULL,
    "note" TEXT NOT NULL,
    "waits_for" TEXT NOT NULL,
    "run_id" TEXT,
    "claim_run" TEXT,
    "claim_at" BIGINT,
    "planned_run" TEXT,
    "planned_action" TEXT,
    "planned_at" BIGINT,
    "card_status" TEXT NOT NULL,
    "section" INTEGER,
    "liveness" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "own_steps" INTEGER NOT NULL,
    "own_steps_done" INTEGER NOT NULL,
    "operation_started_at" BIGINT,
    "operation_ended_at" BIGINT,
    "provisioned_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "state_changed_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "revision" BIGINT NOT NULL,
    "engine" TEXT,
    "version" TEXT
);
CREATE INDEX "database_dashboard" ON "database" ("organization_id", "section", state_changed_at DESC, id DESC);
CREATE INDEX "database_operations" ON "database" ("organization_id", state_changed_at DESC, id DESC) WHERE ("section" IS NOT NULL);
CREATE INDEX "database_of_provider" ON "database" ("organization_id", "provider");
CREATE UNIQUE INDEX "database_address" ON "database" ("stack_id", "address") WHERE ("stack_id" IS NOT NULL);
CREATE INDEX "database_sst" ON "database" ("sst_resource_id", "organization_id");
CREATE INDEX "database_provider" ON "database" ("provider_resource_id", "organization_id");
CREATE UNIQUE INDEX "database_dock" ON "database" ("dock_id", "provider_resource_id") WHERE ("dock_id" IS NOT NULL);
CREATE INDEX "database_run" ON "database" ("run_id");

CREATE TABLE "domain" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "dock_id" TEXT REFERENCES "dock" ("id") ON DELETE SET NULL,
    "stack_id" TEXT REFERENCES "stack" ("id") ON DELETE SET NULL,
    "address" TEXT NOT NULL,
    "tool_type" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "provider_resource_id" TEXT,
    "name" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "full_api_data" {json} NOT NULL,
    "provisioning_source" TEXT,
    "sst_resource_id" TEXT,
    "sst_stack_name" TEXT,
    "provisioning_state" TEXT,
    "operation" TEXT,
    "error_summary" TEXT NOT NULL,
    "error_detail" TEXT NOT NULL,
    "note" TEXT NOT NULL,
    "waits_for" TEXT NOT NULL,
    "run_id" TEXT,
    "claim_run" TEXT,
    "claim_at" BIGINT,
    "planned_run" TEXT,
    "planned_action" TEXT,
    "planned_at" BIGINT,
    "card_status" TEXT NOT NULL,
    "section" INTEGER,
    "liveness" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "own_steps" INTEGER NOT NULL,
    "own_steps_done" INTEGER NOT NULL,
    "operation_started_at" BIGINT,
    "operation_ended_at" BIGINT,
    "provisioned_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "state_changed_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "revision" BIGINT NOT NULL,
    "domain_name" TEXT,
    "expires_at" BIGINT
);
CREATE INDEX "domain_dashboard" ON "domain" ("organization_id", "section", state_changed_at DESC, id DESC);
CREATE INDEX "domain_operations" ON "domain" ("organization_id", state_changed_at DESC, id DESC) WHERE ("section" IS NOT NULL);
CREATE INDEX "domain_of_provider" ON "domain" ("organization_id", "provider");
CREATE UNIQUE INDEX "domain_address" ON "domain" ("stack_id", "address") WHERE ("stack_id" IS NOT NULL);
CREATE INDEX "domain_sst" ON "domain" ("sst_resource_id", "organization_id");
CREATE INDEX "domain_provider" ON "domain" ("provider_resource_id", "organization_id");
CREATE UNIQUE INDEX "domain_dock" ON "domain" ("dock_id", "provider_resource_id") WHERE ("dock_id" IS NOT NULL);
CREATE INDEX "domain_run" ON "domain" ("run_id");

CREATE TABLE "event" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "run_id" TEXT REFERENCES "run" ("id") ON DELETE CASCADE,
    "sequence" INTEGER,
    "resource" TEXT,
    "occurred_at" BIGINT NOT NULL,
    "received_at" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "tool_type" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "diagnostic" {json},
    "data" {json},
    "state_before" TEXT,
    "state_after" TEXT,
    "reason" TEXT NOT NULL
);
CREATE UNIQUE INDEX "event_run_id_sequence" ON "event" ("run_id", "sequence");
CREATE INDEX "event_resource_occurred_at_id" ON "event" ("resource", "occurred_at", "id");
CREATE INDEX "event_organization_id_occurred_at_id" ON "event" ("organization_id", "occurred_at", "id");

CREATE TABLE "share_link" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "organization_id" TEXT NOT NULL REFERENCES "organization" ("id") ON DELETE CASCADE,
    "token_hash" TEXT NOT NULL,
    "prefix" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "fields" TEXT NOT NULL,
    "allowed_origins" {json} NOT NULL,
    "created_by_id" TEXT REFERENCES "user" ("id") ON DELETE SET NULL,
    "created_at" BIGINT NOT NULL,
    "expires_at" BIGINT,
    "revoked_at" BIGINT,
    "uses" INTEGER NOT NULL,
    "last_used_at" BIGINT
);
CREATE UNIQUE INDEX "share_link_token_hash" ON "share_link" ("token_hash");
CREATE INDEX "share_link_organization_id_created_at_id" ON "share_link" ("organization_id", "created_at", "id");
CREATE INDEX "share_link_organization_id_subject_created_at_id" ON "share_link" ("organization_id", "subject", "created_at", "id");
CREATE INDEX "share_link_revoked_at" ON "share_link" ("revoked_at");
CREATE INDEX "share_link_expires_at" ON "share_link" ("expires_at");

CREATE TABLE "rate_count" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "count" INTEGER NOT NULL,
    "expires_at" BIGINT NOT NULL
);
CREATE INDEX "rate_count_expires_at" ON "rate_count" ("expires_at");

