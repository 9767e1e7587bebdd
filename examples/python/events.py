#!/usr/bin/env python3
"""Follows what becomes of one source's jobs, by Tidegate's events.

    pip install -r requirements.txt
    export AMQP_URL=amqp://guest:guest@localhost:5672/%2f
    python events.py --source shop

Prints an event a line. It ends after --count events, or never.
"""

import argparse
import json
import os
import random
import sys
import time

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ProbableAuthenticationError


def follow(parameters, queue, exchange, key, take, prefetch=100, rest=lambda: None):
    """Has `take` look at each event of this routing key, with how it came, until it says that this is enough. While there
    are none, `rest` is called now and then.
    """
    failures = 0
    while True:
        try:
            connection = pika.BlockingConnection(parameters)
            channel = connection.channel()
            # It outlives us: what happens while we are away is there when we come back.
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(queue, exchange, key)
            channel.basic_qos(prefetch_count=prefetch)
            print(f"following {queue}", file=sys.stderr)
            for method, properties, body in channel.consume(queue, inactivity_timeout=10):
                if method is None:
                    rest()
                    continue
                failures = 0
                enough = take(method, properties, json.loads(body))
                # Only now: had we died before, the event would come again.
                channel.basic_ack(method.delivery_tag)
                if enough:
                    connection.close()
                    return
        except ProbableAuthenticationError:
            raise SystemExit("the broker does not let us in: are user, password and vhost in AMQP_URL right?")
        except ChannelClosedByBroker as error:
            raise SystemExit(f"{error}: is Tidegate's exchange declared? `tidegate migrate` does it")
        except (AMQPError, OSError) as error:
            failures += 1
            wait = random.uniform(0, min(30, 0.5 * 2**failures))
            print(f"{type(error).__name__}: {error}; again in {wait:.1f} s", file=sys.stderr)
            time.sleep(wait)


def main():
    arguments = argparse.ArgumentParser(description="Prints what becomes of one source's jobs, an event a line.")
    arguments.add_argument("--source", default="shop", help="whose jobs")
    arguments.add_argument("--count", type=int, help="end after so many events")
    chosen = arguments.parse_args()

    # An event may come twice, with the same id in `event`. Your database would keep these, by a unique index; and it would
    # keep of each job the latest state by (attempt, rank of state), since two events may change places on their way.
    seen = set()

    def take(_method, properties, event):
        if event["event"] not in seen:
            seen.add(event["event"])
            print(json.dumps({"type": properties.type, **event}), flush=True)
        return chosen.count is not None and len(seen) >= chosen.count

    url = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2f")
    exchange = os.environ.get("TIDEGATE_PREFIX", "tidegate") + ".events"
    # message.<state>.<pool>.<source>: all states, all pools, our jobs only.
    key = f"message.*.*.{chosen.source}"
    follow(pika.URLParameters(url), f"{chosen.source}.whatsapp-events", exchange, key, take)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
