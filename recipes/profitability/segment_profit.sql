-- What each segment brings: the table that the weekly report reads.
DROP TABLE IF EXISTS segment_profit;
CREATE TABLE segment_profit AS
SELECT
    v.segment,
    count(DISTINCT v.customer_id) AS customers,
    sum(o.revenue) AS revenue,
    sum(o.profit) AS profit
FROM customer_value AS v
JOIN order_profit AS o ON o.customer_id = v.customer_id
GROUP BY v.segment;
