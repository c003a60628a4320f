-- Passes when it returns no row: the segments together are the orders together.
SELECT s.profit AS by_segment, o.profit AS by_order
FROM (SELECT sum(profit) AS profit FROM segment_profit) AS s
CROSS JOIN (SELECT sum(profit) AS profit FROM order_profit) AS o
WHERE s.profit IS DISTINCT FROM o.profit;
