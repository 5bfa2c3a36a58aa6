-- When did the first session of these builds or versions start, within the window?
-- The lists hold a comma before and after each name. A name with a comma may match too much, so the reader compares
-- exactly. (No LIKE: its wildcards, its escapes and its case differ from engine to engine, and it would miss names.)
WITH events AS (
{source}
)
SELECT platform, application, version, build, MIN(at_us) AS first_us
FROM events
WHERE INSTR(@builds, ',' || build || ',') > 0 OR INSTR(@versions, ',' || version || ',') > 0
GROUP BY platform, application, version, build
