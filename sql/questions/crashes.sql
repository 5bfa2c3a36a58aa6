-- How many reports and crashed sessions does each version and build have, per day, and whose installations crashed, how
-- often? One scan answers both.
-- One report may be stored twice, so reports are grouped by event_id first. A session counts once, with its first
-- crash, and a report without a session counts as one of its own. Every kind of report counts for the newest event: an
-- export that brings no report at all has probably stopped. The row at place 1 of a day, version and build carries its
-- totals; the rows of the wanted builds and versions carry the smallest fingerprints of their installations.
-- The lists hold a comma before and after each name. A name with a comma may match too much, so the reader compares
-- exactly. (No LIKE: its wildcards, its escapes and its case differ from engine to engine, and it would miss names.)
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
    MAX(user_id) AS user_id,
    MAX(fatal) AS fatal,
    MAX(foreground_anr) AS foreground_anr
  FROM events
  GROUP BY event_id
),
crashes AS (
  SELECT
    day, at_us, version, build, user_id, fatal,
    CASE WHEN fatal = 0 THEN foreground_anr ELSE 0 END AS only_anr,
    CASE WHEN fatal + foreground_anr > 0 THEN 1 ELSE 0 END AS crash,
    CASE
      WHEN fatal + foreground_anr = 0 THEN 0
      WHEN session_id IS NULL THEN 1
      WHEN ROW_NUMBER() OVER (
        PARTITION BY day, version, build, session_id
        ORDER BY CASE WHEN fatal + foreground_anr > 0 THEN 0 ELSE 1 END, at_us, event_id
      ) = 1 THEN 1
      ELSE 0
    END AS first_of_session
  FROM reports
),
people AS (
  SELECT
    day, version, build, user_id,
    SUM(fatal) AS fatal_events,
    SUM(only_anr) AS foreground_anr_events,
    SUM(first_of_session) AS crashed_sessions,
    SUM(CASE WHEN at_us < @mature_us THEN first_of_session ELSE 0 END) AS mature_crashed_sessions,
    MAX(at_us) AS newest_us,
    SUM(crash) AS crashes
  FROM crashes
  GROUP BY day, version, build, user_id
),
ranked AS (
  SELECT
    day, version, build,
    SUM(fatal_events) OVER (PARTITION BY day, version, build) AS fatal_events,
    SUM(foreground_anr_events) OVER (PARTITION BY day, version, build) AS foreground_anr_events,
    SUM(crashed_sessions) OVER (PARTITION BY day, version, build) AS crashed_sessions,
    SUM(mature_crashed_sessions) OVER (PARTITION BY day, version, build) AS mature_crashed_sessions,
    MAX(newest_us) OVER (PARTITION BY day, version, build) AS newest_us,
    CASE WHEN crashes > 0 THEN FARM_FINGERPRINT(user_id) END AS fingerprint,
    crashes,
    -- Installations without an id or without a crash come last: they have no fingerprint.
    ROW_NUMBER() OVER (
      PARTITION BY day, version, build
      ORDER BY CASE WHEN crashes = 0 OR user_id IS NULL THEN 1 ELSE 0 END, FARM_FINGERPRINT(user_id)
    ) AS place
  FROM people
)
SELECT
  day, version, build,
  CASE WHEN place = 1 THEN fatal_events ELSE 0 END AS fatal_events,
  CASE WHEN place = 1 THEN foreground_anr_events ELSE 0 END AS foreground_anr_events,
  CASE WHEN place = 1 THEN crashed_sessions ELSE 0 END AS crashed_sessions,
  CASE WHEN place = 1 THEN mature_crashed_sessions ELSE 0 END AS mature_crashed_sessions,
  newest_us,
  fingerprint,
  crashes
FROM ranked
WHERE place = 1
  OR (place <= @sketch_size AND fingerprint IS NOT NULL
    AND (INSTR(@builds, ',' || build || ',') > 0 OR INSTR(@versions, ',' || version || ',') > 0))
