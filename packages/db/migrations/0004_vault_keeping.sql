ALTER TABLE "points" ADD COLUMN "goes_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "vaults" ADD COLUMN "prune_rule" jsonb;--> statement-breakpoint
ALTER TABLE "vaults" ADD COLUMN "last_tend" jsonb;--> statement-breakpoint
ALTER TABLE "vaults" ADD COLUMN "tended_at" timestamp with time zone;