-- Firebase Crashlytics export on the embedded engine: one row per stored report, flat and typed, with its issue.
-- Costs: the reports of the window only (index on event_timestamp).
SELECT
  event_id,
  event_timestamp AS at_us,
  event_timestamp / 86400000000 AS day,
  CAST(application ->> '$.display_version' AS TEXT) AS version,
  CAST(application ->> '$.build_version' AS TEXT) AS build,
  CASE WHEN error_type = 'FATAL' THEN 1 ELSE 0 END AS fatal,
  -- A missing process state is not the foreground.
  CASE WHEN error_type = 'ANR' AND process_state = 'FOREGROUND' THEN 1 ELSE 0 END AS foreground_anr,
  installation_uuid AS user_id,
  issue_id AS issue,
  issue_title AS title,
  issue_subtitle AS subtitle
FROM `{table}`
WHERE event_timestamp >= @from_us AND event_timestamp < @to_us
