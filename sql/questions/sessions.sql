-- How many sessions does each version and build have, per day, and who had them? One scan answers both.
-- A session that is stored twice counts once. The row at place 1 of a day, version and build carries its totals; the
-- rows of the wanted builds and versions carry the smallest fingerprints of their people: these can be merged over
-- days, and no user id leaves the warehouse.
-- The lists hold a comma before and after each name. A name with a comma may match too much, so the reader compares
-- exactly. (No LIKE: its wildcards, its escapes and its case differ from engine to engine, and it would miss names.)
WITH events AS (
{source}
),
sessions AS (
  SELECT
    session_id,
    MIN(day) AS day,
    MIN(at_us) AS at_us,
    MAX(platform) AS platform,
    MAX(application) AS application,
    MAX(version) AS version,
    MAX(build) AS build,
    MAX(user_id) AS user_id
  FROM events
  GROUP BY session_id
),
people AS (
  SELECT
    day, platform, application, version, build, user_id,
    COUNT(*) AS sessions,
    SUM(CASE WHEN at_us < @mature_us THEN 1 ELSE 0 END) AS mature_sessions,
    MAX(at_us) AS newest_us
  FROM sessions
  GROUP BY day, platform, application, version, build, user_id
),
ranked AS (
  SELECT
    day, platform, application, version, build,
    SUM(sessions) OVER (PARTITION BY day, platform, application, version, build) AS sessions,
    SUM(mature_sessions) OVER (PARTITION BY day, platform, application, version, build) AS mature_sessions,
    MAX(newest_us) OVER (PARTITION BY day, platform, application, version, build) AS newest_us,
    FARM_FINGERPRINT(user_id) AS fingerprint,
    -- People without an id come last: they have no fingerprint.
    ROW_NUMBER() OVER (
      PARTITION BY day, platform, application, version, build
      ORDER BY CASE WHEN user_id IS NULL THEN 1 ELSE 0 END, FARM_FINGERPRINT(user_id)
    ) AS place
  FROM people
)
SELECT
  day, platform, application, version, build,
  CASE WHEN place = 1 THEN sessions ELSE 0 END AS sessions,
  CASE WHEN place = 1 THEN mature_sessions ELSE 0 END AS mature_sessions,
  newest_us,
  fingerprint
FROM ranked
WHERE place = 1
  OR (place <= @sketch_size
    AND (INSTR(@builds, ',' || build || ',') > 0 OR INSTR(@versions, ',' || version || ',') > 0))
