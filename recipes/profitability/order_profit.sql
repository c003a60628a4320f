-- One row for each order: what it brought in, and what is left of it.
DROP TABLE IF EXISTS order_profit;
CREATE TABLE order_profit AS
SELECT
    o.order_id,
    o.customer_id,
    o.ordered_at::date AS ordered_on,
    sum(l.amount) AS revenue,
    sum(l.amount - l.quantity * p.unit_cost) AS profit
FROM orders AS o
JOIN order_lines AS l ON l.order_id = o.order_id
JOIN products AS p ON p.product_id = l.product_id
WHERE o.status <> 'cancelled'
  AND o.ordered_at >= :since
GROUP BY o.order_id;
CREATE UNIQUE INDEX order_profit_order_id ON order_profit (order_id);
