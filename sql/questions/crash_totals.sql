-- How many sessions of a release crashed, and of how many installations, over each stretch that a daily report tells of?
-- One row, with the stretches of session_totals. A report that is stored twice, also in two tables, counts once. A session
-- counts once over all of a stretch, however often it crashed, and a crash without a session counts as one of its own.
-- The newest report is one of any kind and version. Names are compared as in session_totals.
WITH events AS (
{source}
),
reports AS (
  SELECT
    event_id,
    MIN(at_us) AS at_us,
    MAX(version) AS version,
    MAX(build) AS build,
    MAX(session_id) AS session_id,
    MAX(user_id) AS user_id,
    MAX(fatal) AS fatal,
    MAX(foreground_anr) AS foreground_anr
  FROM events
  GROUP BY event_id
),
named AS (
  SELECT
    at_us, session_id, user_id,
    CASE
      WHEN fatal + foreground_anr = 0 THEN 0
      WHEN @versions = ',' || version || ',' THEN 1
      WHEN INSTR(@builds, ',' || build || ',') > 0 AND INSTR(build, ',') = 0 THEN 1
      ELSE 0
    END AS ours,
    CASE
      WHEN fatal + foreground_anr = 0 THEN 0
      WHEN @earlier_versions = ',' || version || ',' THEN 1
      WHEN INSTR(@earlier_builds, ',' || build || ',') > 0 AND INSTR(build, ',') = 0 THEN 1
      ELSE 0
    END AS earlier
  FROM reports
),
placed AS (
  SELECT
    at_us, session_id, user_id,
    CASE WHEN ours = 1 AND at_us >= @cycle_from_us AND at_us < @cycle_to_us THEN 1 ELSE 0 END AS in_cycle,
    CASE WHEN ours = 1 AND at_us >= @day_from_us AND at_us < @day_to_us THEN 1 ELSE 0 END AS in_day,
    CASE WHEN earlier = 1 AND at_us >= @then_from_us AND at_us < @then_to_us THEN 1 ELSE 0 END AS in_then,
    CASE WHEN ours = 1 AND at_us >= @now_from_us AND at_us < @now_to_us THEN 1 ELSE 0 END AS in_now
  FROM named
)
SELECT
  COUNT(DISTINCT CASE WHEN in_cycle = 1 THEN session_id END)
    + COUNT(CASE WHEN in_cycle = 1 AND session_id IS NULL THEN 1 END) AS cycle_crashed_sessions,
  COUNT(DISTINCT CASE WHEN in_cycle = 1 THEN user_id END) AS cycle_crashed_users,
  COUNT(DISTINCT CASE WHEN in_day = 1 THEN session_id END)
    + COUNT(CASE WHEN in_day = 1 AND session_id IS NULL THEN 1 END) AS day_crashed_sessions,
  COUNT(DISTINCT CASE WHEN in_day = 1 THEN user_id END) AS day_crashed_users,
  COUNT(DISTINCT CASE WHEN in_then = 1 THEN session_id END)
    + COUNT(CASE WHEN in_then = 1 AND session_id IS NULL THEN 1 END) AS then_crashed_sessions,
  COUNT(DISTINCT CASE WHEN in_then = 1 THEN user_id END) AS then_crashed_users,
  COUNT(DISTINCT CASE WHEN in_now = 1 THEN session_id END)
    + COUNT(CASE WHEN in_now = 1 AND session_id IS NULL THEN 1 END) AS now_crashed_sessions,
  COUNT(DISTINCT CASE WHEN in_now = 1 THEN user_id END) AS now_crashed_users,
  MAX(at_us) AS newest_us
FROM placed
