-- How many clicks did each hour (UTC) of the last 7 days have? An hour without clicks has no row.
SELECT
  datehour,
  count(*) AS clicks
FROM clicks
WHERE datehour >= date_format(current_timestamp AT TIME ZONE 'UTC' - interval '7' day, '%Y/%m/%d/%H')
GROUP BY datehour
ORDER BY datehour DESC
