-- Which issues do most crash reports of a release belong to, over its cycle, and did another version have them too?
-- A report that is stored twice, also in two tables, counts once. Ties are broken by users, then by the issue's id, so that
-- the same rows always give the same answer. The title is that of the newest report that has one: titles change when
-- symbols arrive. Reports without an issue are in no group. Whose version is not known belongs to no other one.
-- Names are compared as in session_totals.
WITH events AS (
{source}
),
reports AS (
  SELECT
    event_id,
    MIN(at_us) AS at_us,
    MAX(version) AS version,
    MAX(build) AS build,
    MAX(user_id) AS user_id,
    MAX(fatal) AS fatal,
    MAX(foreground_anr) AS foreground_anr,
    MAX(issue) AS issue,
    MAX(title) AS title,
    MAX(subtitle) AS subtitle
  FROM events
  GROUP BY event_id
),
named AS (
  SELECT
    event_id, at_us, user_id, fatal, issue, title, subtitle,
    CASE
      WHEN @versions = ',' || version || ',' THEN 1
      WHEN INSTR(@builds, ',' || build || ',') > 0 AND INSTR(build, ',') = 0 THEN 1
      ELSE 0
    END AS ours,
    CASE WHEN @versions = '' THEN build ELSE version END AS name
  FROM reports
  WHERE fatal + foreground_anr > 0 AND issue IS NOT NULL
),
placed AS (
  SELECT
    user_id, fatal, issue, title, subtitle,
    CASE WHEN ours = 1 AND at_us >= @cycle_from_us AND at_us < @cycle_to_us THEN 1 ELSE 0 END AS in_cycle,
    CASE WHEN ours = 0 AND name IS NOT NULL THEN 1 ELSE 0 END AS of_another,
    ROW_NUMBER() OVER (
      PARTITION BY issue, CASE WHEN ours = 1 AND at_us >= @cycle_from_us AND at_us < @cycle_to_us THEN 1 ELSE 0 END
      ORDER BY CASE WHEN title IS NULL THEN 1 ELSE 0 END, at_us DESC, event_id DESC
    ) AS place
  FROM named
),
issues AS (
  SELECT
    issue,
    MAX(CASE WHEN in_cycle = 1 AND place = 1 THEN title END) AS title,
    MAX(CASE WHEN in_cycle = 1 AND place = 1 THEN subtitle END) AS subtitle,
    MAX(CASE WHEN in_cycle = 1 THEN fatal ELSE 0 END) AS fatal,
    SUM(in_cycle) AS events,
    COUNT(DISTINCT CASE WHEN in_cycle = 1 THEN user_id END) AS users,
    MAX(of_another) AS seen_before
  FROM placed
  GROUP BY issue
),
ranked AS (
  SELECT
    issue, title, subtitle, fatal, events, users, seen_before,
    ROW_NUMBER() OVER (ORDER BY events DESC, users DESC, issue) AS place
  FROM issues
  WHERE events > 0
)
SELECT place, issue, title, subtitle, fatal, events, users, seen_before
FROM ranked
WHERE place <= @top
