-- Who had a session of these builds or versions, per day? Answers the smallest fingerprints only: they can be merged
-- over days, and no user id leaves the warehouse.
-- The lists hold a comma before and after each name; LIKE may match too much, so the reader compares exactly.
WITH events AS (
{source}
),
people AS (
  SELECT day, version, build, FARM_FINGERPRINT(user_id) AS fingerprint
  FROM events
  WHERE user_id IS NOT NULL
    AND (@builds LIKE CONCAT('%,', build, ',%') OR @versions LIKE CONCAT('%,', version, ',%'))
  GROUP BY day, version, build, user_id
),
ranked AS (
  SELECT
    day, version, build, fingerprint,
    ROW_NUMBER() OVER (PARTITION BY day, version, build ORDER BY fingerprint) AS place
  FROM people
)
SELECT day, version, build, fingerprint, 0 AS crashes
FROM ranked
WHERE place <= @sketch_size
