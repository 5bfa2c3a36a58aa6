-- How many sessions does each version and build have, per day? A session that is stored twice counts once.
WITH events AS (
{source}
),
sessions AS (
  SELECT session_id, MIN(day) AS day, MIN(at_us) AS at_us, MAX(version) AS version, MAX(build) AS build
  FROM events
  GROUP BY session_id
)
SELECT
  day,
  version,
  build,
  COUNT(*) AS sessions,
  SUM(CASE WHEN at_us < @mature_us THEN 1 ELSE 0 END) AS mature_sessions,
  MAX(at_us) AS newest_us
FROM sessions
GROUP BY day, version, build
