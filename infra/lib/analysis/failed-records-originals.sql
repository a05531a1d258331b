-- What did the newest 100 of the records that failed in the last 7 days hold? Visitors sent this: it may be anything.
SELECT
  from_unixtime(arrivaltimestamp / 1000.0) AS arrived,
  coalesce(errorcode, lasterrorcode) AS errorcode,
  coalesce(errormessage, lasterrormessage) AS errormessage,
  from_utf8(from_base64(rawdata)) AS original
FROM failed_records
WHERE datehour >= date_format(current_timestamp AT TIME ZONE 'UTC' - interval '7' day, '%Y/%m/%d/%H')
ORDER BY arrivaltimestamp DESC, rawdata
LIMIT 100
