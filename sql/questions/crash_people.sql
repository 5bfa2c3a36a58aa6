-- Whose installations of these builds or versions crashed, how often, per day? Answers the smallest fingerprints only:
-- they can be merged over days, and no installation id leaves the warehouse.
-- The lists hold a comma before and after each name; LIKE may match too much, so the reader compares exactly.
WITH events AS (
{source}
),
reports AS (
  SELECT event_id, MIN(day) AS day, MAX(version) AS version, MAX(build) AS build, MAX(user_id) AS user_id
  FROM events
  WHERE fatal + foreground_anr > 0
    AND (@builds LIKE CONCAT('%,', build, ',%') OR @versions LIKE CONCAT('%,', version, ',%'))
  GROUP BY event_id
),
people AS (
  SELECT day, version, build, FARM_FINGERPRINT(user_id) AS fingerprint, COUNT(*) AS crashes
  FROM reports
  WHERE user_id IS NOT NULL
  GROUP BY day, version, build, user_id
),
ranked AS (
  SELECT
    day, version, build, fingerprint, crashes,
    ROW_NUMBER() OVER (PARTITION BY day, version, build ORDER BY fingerprint) AS place
  FROM people
)
SELECT day, version, build, fingerprint, crashes
FROM ranked
WHERE place <= @sketch_size
