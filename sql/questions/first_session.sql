-- When did the first session of these builds or versions start, within the window?
-- The lists hold a comma before and after each name; LIKE may match too much, so the reader compares exactly.
WITH events AS (
{source}
)
SELECT platform, application, version, build, MIN(at_us) AS first_us
FROM events
WHERE @builds LIKE CONCAT('%,', build, ',%') OR @versions LIKE CONCAT('%,', version, ',%')
GROUP BY platform, application, version, build
