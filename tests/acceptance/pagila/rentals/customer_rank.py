"""Ranks the customers by what they paid."""

import psycopg2


def main() -> None:
    with psycopg2.connect("") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT customer_id, sum(amount) FROM payment GROUP BY customer_id ORDER BY 2 DESC, 1")
        rows = [(customer, place, paid) for place, (customer, paid) in enumerate(cursor.fetchall(), 1)]
        cursor.execute("DROP TABLE IF EXISTS customer_rank")
        cursor.execute("CREATE TABLE customer_rank (customer_id integer PRIMARY KEY, place integer, paid numeric)")
        cursor.executemany("INSERT INTO customer_rank VALUES (%s, %s, %s)", rows)
    print(f"{len(rows)} customers ranked")


if __name__ == "__main__":
    main()
