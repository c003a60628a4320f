DROP TABLE IF EXISTS film_revenue;
CREATE TABLE film_revenue AS
SELECT f.film_id, f.title, f.rating, count(*) AS rentals, sum(p.amount) AS revenue
FROM payment AS p
JOIN rental AS r ON r.rental_id = p.rental_id
JOIN inventory AS i ON i.inventory_id = r.inventory_id
JOIN film AS f ON f.film_id = i.film_id
WHERE p.payment_date >= :since
GROUP BY f.film_id;
