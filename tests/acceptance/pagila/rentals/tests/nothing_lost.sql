SELECT s.paid, p.paid FROM (SELECT sum(paid) AS paid FROM store_summary) AS s
CROSS JOIN (SELECT sum(amount) AS paid FROM payment) AS p WHERE s.paid IS DISTINCT FROM p.paid;
