-- Why did records fail in the last 7 days, and when?
SELECT
  errortype,
  coalesce(errorcode, lasterrorcode) AS errorcode,
  count(*) AS records,
  max(attemptsmade) AS attempts,
  min(datehour) AS first_hour,
  max(datehour) AS last_hour
FROM failed_records
WHERE datehour >= date_format(current_timestamp AT TIME ZONE 'UTC' - interval '7' day, '%Y/%m/%d/%H')
GROUP BY 1, 2
ORDER BY 3 DESC, 1, 2
