-- Counts of sign-in attempts, which all web processes share, and the audit page's order made total.
CREATE TABLE "rate_count" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "count" INTEGER NOT NULL,
    "expires_at" BIGINT NOT NULL
);
CREATE INDEX "rate_count_expires_at" ON "rate_count" ("expires_at");

DROP INDEX "audit_entry_organization_id_at";
CREATE INDEX "audit_entry_organization_id_at_id" ON "audit_entry" ("organization_id", "at", "id");
