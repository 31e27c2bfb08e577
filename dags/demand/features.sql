-- What is known on Monday morning, one row per store and product; the store as it is then.
SELECT o.store_id, o.product_id, o.week, o.offered_at AS asked_at, s.valid_from AS store_known_at,
    o.product_id AS product, s.region, s.size_m2, o.price, o.promoted,
    week(o.offered_at) AS week_of_year
FROM offers AS o
LEFT JOIN stores AS s ON o.store_id = s.store_id
    AND o.offered_at > s.valid_from AND o.offered_at <= s.valid_until
