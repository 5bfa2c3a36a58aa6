-- Firebase Sessions export on the embedded engine: one row per stored session start, flat and typed.
-- A session that could not report a crash is not in the denominator.
-- Costs: the sessions of the window only (index on event_timestamp).
SELECT
  session_id,
  event_timestamp AS at_us,
  event_timestamp / 86400000000 AS day,
  NULL AS platform,
  NULL AS application,
  CAST(application ->> '$.display_version' AS TEXT) AS version,
  CAST(application ->> '$.build_version' AS TEXT) AS build,
  instance_id AS user_id
FROM `{table}`
WHERE event_timestamp >= @from_us AND event_timestamp < @to_us
  AND event_type = 'SESSION_START' AND crashlytics_data_collection_enabled
