-- Which kinds of mysfits were clicked most in the last 7 days?
SELECT
  species,
  goodevil,
  lawchaos,
  count(*) AS clicks
FROM clicks
WHERE datehour >= date_format(current_timestamp AT TIME ZONE 'UTC' - interval '7' day, '%Y/%m/%d/%H')
GROUP BY species, goodevil, lawchaos
ORDER BY clicks DESC, species, goodevil, lawchaos
