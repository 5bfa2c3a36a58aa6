-- How many reports and crashed sessions does each version and build have, per day?
-- One report may be stored twice, so reports are grouped by event_id first. Sessions are counted once, and a report
-- without a session counts as one of its own. Every kind of report counts for the newest event: an export that
-- brings no report at all has probably stopped.
WITH events AS (
{source}
),
reports AS (
  SELECT
    event_id,
    MIN(day) AS day,
    MIN(at_us) AS at_us,
    MAX(version) AS version,
    MAX(build) AS build,
    MAX(session_id) AS session_id,
    MAX(fatal) AS fatal,
    MAX(foreground_anr) AS foreground_anr
  FROM events
  GROUP BY event_id
)
SELECT
  day,
  version,
  build,
  SUM(fatal) AS fatal_events,
  SUM(CASE WHEN fatal = 0 THEN foreground_anr ELSE 0 END) AS foreground_anr_events,
  COUNT(DISTINCT CASE WHEN fatal + foreground_anr > 0 THEN session_id END)
    + SUM(CASE WHEN fatal + foreground_anr > 0 AND session_id IS NULL THEN 1 ELSE 0 END) AS crashed_sessions,
  COUNT(DISTINCT CASE WHEN fatal + foreground_anr > 0 AND at_us < @mature_us THEN session_id END)
    + SUM(CASE WHEN fatal + foreground_anr > 0 AND at_us < @mature_us AND session_id IS NULL THEN 1 ELSE 0 END)
    AS mature_crashed_sessions,
  MAX(at_us) AS newest_us
FROM reports
GROUP BY day, version, build
