-- Which mysfits were clicked most in the last 7 days?
SELECT
  mysfitid,
  count(*) AS clicks
FROM clicks
WHERE datehour >= date_format(current_timestamp AT TIME ZONE 'UTC' - interval '7' day, '%Y/%m/%d/%H')
GROUP BY mysfitid
ORDER BY clicks DESC, mysfitid
