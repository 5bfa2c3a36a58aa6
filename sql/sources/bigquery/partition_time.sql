  -- The table is partitioned by the time of loading. That is before the event's own day only where the clock of a device
  -- runs ahead over midnight, and such a row is left out. Rows that are still in the streaming buffer have no partition yet.
  AND (_PARTITIONTIME >= TIMESTAMP_TRUNC(TIMESTAMP_MICROS(@from_us), DAY) OR _PARTITIONTIME IS NULL)
