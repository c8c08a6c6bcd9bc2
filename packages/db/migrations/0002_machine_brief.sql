ALTER TABLE "machines" ADD COLUMN "brief" jsonb;--> statement-breakpoint
UPDATE "machines" SET "brief" = jsonb_build_object(
  'hostname', "inventory" ->> 'hostname',
  'os', trim(concat("inventory" #>> '{os,name}', ' ', "inventory" #>> '{os,version}')),
  'disks', jsonb_array_length("inventory" -> 'disks'),
  'totalBytes', (SELECT coalesce(sum((disk ->> 'sizeBytes')::numeric), 0) FROM jsonb_array_elements("inventory" -> 'disks') AS disk),
  'limitation', "inventory" -> 'limitation'
);--> statement-breakpoint
ALTER TABLE "machines" ALTER COLUMN "brief" SET NOT NULL;
