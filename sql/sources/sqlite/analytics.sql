-- Google Analytics export of one date on the embedded engine: one row per session start, flat and typed.
-- Analytics knows no build. A property may hold several apps and platforms: one scan serves them all.
-- Costs: the events of the window only (index on event_timestamp).
SELECT
  -- Without consent there is no id: such a session start still is a session of its own.
  COALESCE(user_pseudo_id, '') || '/' || event_timestamp || '/' || platform || '/'
    || COALESCE(CAST(app_info ->> '$.id' AS TEXT), '') AS session_id,
  event_timestamp AS at_us,
  event_timestamp / 86400000000 AS day,
  platform AS platform,
  CAST(app_info ->> '$.id' AS TEXT) AS application,
  CAST(app_info ->> '$.version' AS TEXT) AS version,
  NULL AS build,
  user_pseudo_id AS user_id
FROM `{table}`
WHERE event_timestamp >= @from_us AND event_timestamp < @to_us
  AND event_name = 'session_start'
