  -- The table is partitioned by the time of loading, which is never before the event's own. Rows that are still in the
  -- streaming buffer have no partition yet.
  AND (_PARTITIONTIME >= TIMESTAMP_TRUNC(TIMESTAMP_MICROS(@from_us), DAY) OR _PARTITIONTIME IS NULL)
