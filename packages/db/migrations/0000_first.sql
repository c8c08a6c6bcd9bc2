CREATE TABLE "agents" (
	"machine_id" uuid PRIMARY KEY NOT NULL,
	"public_key" text NOT NULL,
	"agent_version" text NOT NULL,
	"protocol_version" integer NOT NULL,
	"last_seen_at" timestamp with time zone,
	"copy_seen_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"seq" bigint PRIMARY KEY NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"detail" text NOT NULL,
	"prev_hash" text NOT NULL,
	"hash" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "auth_sessions" (
	"sid_hash" text PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "enrol_tokens" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"token_hash" text NOT NULL,
	"auto_approve" boolean NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"spent_at" timestamp with time zone,
	"spent_by" uuid,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "job_disks" (
	"job_id" uuid NOT NULL,
	"machine_id" uuid NOT NULL,
	"disk_key" text NOT NULL,
	"active" boolean DEFAULT false NOT NULL,
	CONSTRAINT "job_disks_job_id_disk_key_pk" PRIMARY KEY("job_id","disk_key")
);
--> statement-breakpoint
CREATE TABLE "job_log" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"job_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"level" text NOT NULL,
	"text" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"kind" text NOT NULL,
	"state" text NOT NULL,
	"machine_id" uuid NOT NULL,
	"vault_id" uuid NOT NULL,
	"point_id" text,
	"subject" text NOT NULL,
	"request" jsonb NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"idempotency_key" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"created_by" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"not_before" timestamp with time zone,
	"started_at" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"cancel_asked_at" timestamp with time zone,
	"result" jsonb,
	"failure" jsonb,
	"retry_of" uuid
);
--> statement-breakpoint
CREATE TABLE "machines" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"state" text NOT NULL,
	"inventory" jsonb NOT NULL,
	"enrolled_at" timestamp with time zone NOT NULL,
	"approved_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "points" (
	"id" text PRIMARY KEY NOT NULL,
	"vault_id" uuid NOT NULL,
	"machine_id" uuid NOT NULL,
	"job_id" uuid,
	"kind" text NOT NULL,
	"method" text NOT NULL,
	"source" text NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"size_bytes" bigint NOT NULL,
	"used_bytes" bigint NOT NULL,
	"new_bytes" bigint NOT NULL,
	"stored_bytes" bigint NOT NULL,
	"disks" jsonb NOT NULL,
	"warnings" jsonb NOT NULL,
	"pinned" boolean DEFAULT false NOT NULL,
	"comment" text DEFAULT '' NOT NULL,
	"verified_at" timestamp with time zone,
	"verified_ok" boolean
);
--> statement-breakpoint
CREATE TABLE "restore_plans" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"plan_hash" text NOT NULL,
	"point_id" text NOT NULL,
	"disk_index" integer NOT NULL,
	"machine_id" uuid NOT NULL,
	"target" jsonb NOT NULL,
	"target_fingerprint" text NOT NULL,
	"confirm_text" text NOT NULL,
	"fits" boolean NOT NULL,
	"estimated_bytes" bigint NOT NULL,
	"created_by" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "runs" (
	"job_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"offered_at" timestamp with time zone NOT NULL,
	"started_at" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"outcome" text,
	"failure" jsonb,
	CONSTRAINT "runs_job_id_attempt_pk" PRIMARY KEY("job_id","attempt")
);
--> statement-breakpoint
CREATE TABLE "setup_done" (
	"id" smallint PRIMARY KEY NOT NULL,
	"owner_id" uuid NOT NULL,
	"at" timestamp with time zone NOT NULL,
	CONSTRAINT "setup_done_once" CHECK ("setup_done"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"password_hash" text NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "vaults" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"folder" text NOT NULL,
	"encryption" text NOT NULL,
	"sealed_id_key" text NOT NULL,
	"public_key" text,
	"sealed_private_key" text,
	"stored_bytes" bigint DEFAULT 0 NOT NULL,
	"free_bytes" bigint,
	"total_bytes" bigint,
	"state" text NOT NULL,
	"recovery_kit_downloaded_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "agents" ADD CONSTRAINT "agents_machine_id_machines_id_fk" FOREIGN KEY ("machine_id") REFERENCES "public"."machines"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "auth_sessions" ADD CONSTRAINT "auth_sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_disks" ADD CONSTRAINT "job_disks_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_log" ADD CONSTRAINT "job_log_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_machine_id_machines_id_fk" FOREIGN KEY ("machine_id") REFERENCES "public"."machines"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_vault_id_vaults_id_fk" FOREIGN KEY ("vault_id") REFERENCES "public"."vaults"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "points" ADD CONSTRAINT "points_vault_id_vaults_id_fk" FOREIGN KEY ("vault_id") REFERENCES "public"."vaults"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "points" ADD CONSTRAINT "points_machine_id_machines_id_fk" FOREIGN KEY ("machine_id") REFERENCES "public"."machines"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "restore_plans" ADD CONSTRAINT "restore_plans_machine_id_machines_id_fk" FOREIGN KEY ("machine_id") REFERENCES "public"."machines"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "runs" ADD CONSTRAINT "runs_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "agents_public_key" ON "agents" USING btree ("public_key");--> statement-breakpoint
CREATE INDEX "audit_log_action" ON "audit_log" USING btree ("action");--> statement-breakpoint
CREATE INDEX "auth_sessions_user" ON "auth_sessions" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "enrol_tokens_hash" ON "enrol_tokens" USING btree ("token_hash");--> statement-breakpoint
CREATE UNIQUE INDEX "job_disks_one_active" ON "job_disks" USING btree ("machine_id","disk_key") WHERE "job_disks"."active";--> statement-breakpoint
CREATE INDEX "job_log_job" ON "job_log" USING btree ("job_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "jobs_idempotency" ON "jobs" USING btree ("idempotency_key");--> statement-breakpoint
CREATE INDEX "jobs_machine_state" ON "jobs" USING btree ("machine_id","state");--> statement-breakpoint
CREATE INDEX "jobs_created" ON "jobs" USING btree ("created_at" DESC NULLS LAST,"id");--> statement-breakpoint
CREATE INDEX "jobs_open" ON "jobs" USING btree ("state","expires_at") WHERE "jobs"."state" in ('queued', 'offered', 'running');--> statement-breakpoint
CREATE INDEX "machines_state" ON "machines" USING btree ("state");--> statement-breakpoint
CREATE INDEX "points_machine" ON "points" USING btree ("machine_id","created_at" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "points_vault" ON "points" USING btree ("vault_id","created_at" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "points_disks" ON "points" USING gin ("disks" jsonb_path_ops);--> statement-breakpoint
CREATE UNIQUE INDEX "users_email" ON "users" USING btree ("email");--> statement-breakpoint
CREATE UNIQUE INDEX "vaults_name" ON "vaults" USING btree ("name");