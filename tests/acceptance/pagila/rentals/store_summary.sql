DROP TABLE IF EXISTS store_summary;
CREATE TABLE store_summary AS
SELECT c.store_id, count(*) AS customers, sum(r.paid) AS paid, min(r.place) AS best_place
FROM customer_rank AS r
JOIN customer AS c ON c.customer_id = r.customer_id
GROUP BY c.store_id;
