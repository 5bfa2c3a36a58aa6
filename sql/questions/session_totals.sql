-- How many sessions, and of how many people, does a release have over each stretch that a daily report tells of?
-- One row: the cycle of a release, its last whole day, the release before in a stretch of its own, and the release again
-- over as much of its life. One scan of all tables answers it, because people can't be added up over tables or days.
-- A session that is stored twice, also in two tables, counts once, with its first start. The newest session is that of any
-- version of the app. The list of builds holds a comma before and after each name, that of versions one name at most,
-- so that what is compared is the whole name.
WITH events AS (
{source}
),
sessions AS (
  SELECT
    session_id,
    MIN(at_us) AS at_us,
    MAX(platform) AS platform,
    MAX(application) AS application,
    MAX(version) AS version,
    MAX(build) AS build,
    MAX(user_id) AS user_id
  FROM events
  GROUP BY session_id
),
named AS (
  SELECT
    at_us, user_id,
    CASE
      WHEN @versions = ',' || version || ',' THEN 1
      WHEN INSTR(@builds, ',' || build || ',') > 0 AND INSTR(build, ',') = 0 THEN 1
      ELSE 0
    END AS ours,
    CASE
      WHEN @earlier_versions = ',' || version || ',' THEN 1
      WHEN INSTR(@earlier_builds, ',' || build || ',') > 0 AND INSTR(build, ',') = 0 THEN 1
      ELSE 0
    END AS earlier
  FROM sessions
  WHERE @application = '' OR (application = @application AND platform = @platform)
),
placed AS (
  SELECT
    at_us, user_id,
    CASE WHEN ours = 1 AND at_us >= @cycle_from_us AND at_us < @cycle_to_us THEN 1 ELSE 0 END AS in_cycle,
    CASE WHEN ours = 1 AND at_us >= @day_from_us AND at_us < @day_to_us THEN 1 ELSE 0 END AS in_day,
    CASE WHEN earlier = 1 AND at_us >= @then_from_us AND at_us < @then_to_us THEN 1 ELSE 0 END AS in_then,
    CASE WHEN ours = 1 AND at_us >= @now_from_us AND at_us < @now_to_us THEN 1 ELSE 0 END AS in_now
  FROM named
)
SELECT
  COUNT(CASE WHEN in_cycle = 1 THEN 1 END) AS cycle_sessions,
  COUNT(DISTINCT CASE WHEN in_cycle = 1 THEN user_id END) AS cycle_users,
  COUNT(CASE WHEN in_day = 1 THEN 1 END) AS day_sessions,
  COUNT(DISTINCT CASE WHEN in_day = 1 THEN user_id END) AS day_users,
  COUNT(CASE WHEN in_then = 1 THEN 1 END) AS then_sessions,
  COUNT(DISTINCT CASE WHEN in_then = 1 THEN user_id END) AS then_users,
  COUNT(CASE WHEN in_now = 1 THEN 1 END) AS now_sessions,
  COUNT(DISTINCT CASE WHEN in_now = 1 THEN user_id END) AS now_users,
  MAX(at_us) AS newest_us
FROM placed
