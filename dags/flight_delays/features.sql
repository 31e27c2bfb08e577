-- What is known two hours before the scheduled departure, one row per flight.
-- The weather is the last observation at the departure airport before that moment.
SELECT
    f.flight_id,
    f.scheduled_departure - INTERVAL 2 HOUR AS asked_at,
    w.observed_at AS weather_observed_at,
    f.carrier,
    f.origin,
    f.dest,
    f.scheduled_hour * 60 + f.scheduled_minute AS minute_of_day,
    isodow(CAST(f.flight_date AS DATE)) AS day_of_week,
    f.distance,
    f.seats,
    w.temp,
    w.dewp,
    w.humid,
    w.wind_dir,
    w.wind_speed,
    w.wind_gust,
    w.precip,
    w.pressure,
    w.visib
FROM flights AS f
ASOF LEFT JOIN weather AS w
    ON f.origin = w.origin
    AND f.scheduled_departure - INTERVAL 2 HOUR > w.observed_at
