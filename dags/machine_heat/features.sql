-- What is known in the evening, one row per machine.
SELECT machine_id, day, read_at AS asked_at, kind, hours, temperature, week_temperature
FROM machine_trends
