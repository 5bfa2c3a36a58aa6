-- Firebase Sessions export on BigQuery: one row per stored session start, flat and typed.
-- A session that could not report a crash is not in the denominator.
-- Costs: about 91 bytes a session of the window's partitions.
SELECT
  session_id,
  UNIX_MICROS(event_timestamp) AS at_us,
  DIV(UNIX_MICROS(event_timestamp), 86400000000) AS day,
  CAST(NULL AS STRING) AS platform,
  CAST(NULL AS STRING) AS application,
  application.display_version AS version,
  application.build_version AS build,
  instance_id AS user_id
FROM `{table}`
WHERE event_timestamp >= TIMESTAMP_MICROS(@from_us) AND event_timestamp < TIMESTAMP_MICROS(@to_us)
  AND event_type = 'SESSION_START' AND crashlytics_data_collection_enabled
{partition}
