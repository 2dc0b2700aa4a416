-- Docks: what they are set to read, and when they are due.
ALTER TABLE "dock" ADD COLUMN "settings" {json} NOT NULL DEFAULT '{}';
ALTER TABLE "dock" ADD COLUMN "memory" {json} NOT NULL DEFAULT '{}';
ALTER TABLE "dock" ADD COLUMN "next_sync_at" BIGINT;
ALTER TABLE "dock" ADD COLUMN "claimed_until" BIGINT;
CREATE INDEX "dock_next_sync_at" ON "dock" ("next_sync_at");
