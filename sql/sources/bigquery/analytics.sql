-- Google Analytics export of one date on BigQuery: one row per session start, flat and typed.
-- Analytics knows no build. A property may hold several apps and platforms: one scan serves them all.
-- Costs: about 95 bytes for every event of the date, whatever the window.
SELECT
  -- Without consent there is no id: such a session start still is a session of its own.
  CONCAT(COALESCE(user_pseudo_id, ''), '/', CAST(event_timestamp AS STRING), '/', platform, '/', COALESCE(app_info.id, ''))
    AS session_id,
  event_timestamp AS at_us,
  DIV(event_timestamp, 86400000000) AS day,
  platform AS platform,
  app_info.id AS application,
  app_info.version AS version,
  CAST(NULL AS STRING) AS build,
  user_pseudo_id AS user_id
FROM `{table}`
WHERE event_timestamp >= @from_us AND event_timestamp < @to_us
  AND event_name = 'session_start'
