"""Ranks customers by profit and calls the best of them gold, the next silver, the rest bronze."""

import json
import os

import psycopg2
from psycopg2.extras import execute_values


def segment(rank: float, gold: float, silver: float) -> str:
    """Name the segment of a customer by the share of customers that stand above."""
    if rank < gold:
        return "gold"
    return "silver" if rank < silver else "bronze"


def main() -> None:
    parameters = json.loads(os.environ.get("KITCHEN_PARAMETERS", "{}"))
    gold = float(parameters.get("gold_share", 0.1))
    silver = float(parameters.get("silver_share", 0.4))
    # where to connect, as whom and with which schemas: all of it stands in the environment
    with psycopg2.connect("") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT customer_id, sum(profit) FROM order_profit GROUP BY customer_id ORDER BY 2 DESC, 1")
        ranked = cursor.fetchall()
        rows = [
            (customer, profit, segment(place / len(ranked), gold, silver))
            for place, (customer, profit) in enumerate(ranked)
        ]
        cursor.execute("DROP TABLE IF EXISTS customer_value")
        cursor.execute("CREATE TABLE customer_value (customer_id bigint PRIMARY KEY, profit numeric, segment text)")
        execute_values(cursor, "INSERT INTO customer_value VALUES %s", rows, page_size=1000)
    print(f"{len(rows)} customers ranked")


if __name__ == "__main__":
    main()
