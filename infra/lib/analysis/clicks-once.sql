-- Creates the view clicks_once: of each clickid the line of the earliest hour, and all lines without one. A repeat may be delivered days
-- later, so a query of the view reads all hours, whatever its own condition is: to read less, add one on datehour after FROM clicks.
CREATE OR REPLACE VIEW clicks_once AS
SELECT
  ${columns}
FROM (
  SELECT *, row_number() OVER (PARTITION BY click ORDER BY datehour) AS occurrence
  -- Each line without an id is a click of its own.
  FROM (SELECT *, coalesce(clickid, cast(uuid() AS varchar)) AS click FROM clicks)
)
WHERE occurrence = 1
