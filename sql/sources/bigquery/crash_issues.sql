-- Firebase Crashlytics export on BigQuery: one row per stored report, flat and typed, with its issue.
-- A column in braces may be missing in older tables, and is nothing there.
-- Costs: about 350 bytes a report of the window's partitions.
SELECT
  event_id,
  UNIX_MICROS(event_timestamp) AS at_us,
  DIV(UNIX_MICROS(event_timestamp), 86400000000) AS day,
  application.display_version AS version,
  {optional:application.build_version} AS build,
  CASE WHEN error_type = 'FATAL' THEN 1 ELSE 0 END AS fatal,
  -- A missing process state is not the foreground.
  CASE WHEN error_type = 'ANR' AND process_state = 'FOREGROUND' THEN 1 ELSE 0 END AS foreground_anr,
  installation_uuid AS user_id,
  {optional:issue_id} AS issue,
  {optional:issue_title} AS title,
  {optional:issue_subtitle} AS subtitle
FROM `{table}`
WHERE event_timestamp >= TIMESTAMP_MICROS(@from_us) AND event_timestamp < TIMESTAMP_MICROS(@to_us)
{partition}
