-- What is known in the evening, one row per machine.
SELECT machine_id, day, read_at AS asked_at, kind, hours, temperature, vibration,
    week_temperature, week_vibration
FROM machine_trends
