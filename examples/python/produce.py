#!/usr/bin/env python3
"""Publishes jobs to Tidegate over RabbitMQ: none is lost, and none is sent twice.

    pip install -r requirements.txt
    export AMQP_URL=amqp://guest:guest@localhost:5672/%2f
    python produce.py --source shop --priority normal < jobs.jsonl

A line is a job. Its id is yours, made of what it is about, and the same whenever you publish it again:

    {"id": "order-17-shipped", "to": "+447700900123", "message": {"type": "template", "template": {...}}}
"""

import argparse
import json
import os
import random
import sys
import time

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, NackError, ProbableAuthenticationError, UnroutableError

# So long the broker may keep us waiting while it is short of memory or disk, before we start over.
BLOCKED_SECONDS = 60
# The longest wait between two tries. Without any, a publisher whose messages are refused spins.
LONGEST_WAIT_SECONDS = 30


class Producer:
    """Publishes over one connection, and opens another when that one breaks."""

    def __init__(self, url, prefix):
        self.parameters = pika.URLParameters(url)
        self.parameters.heartbeat = 30
        self.parameters.blocked_connection_timeout = BLOCKED_SECONDS
        self.exchange = f"{prefix}.jobs"
        self.channel = None

    def publish(self, job, lane, source):
        """Returns once the broker has the job safe on disk, however long that takes."""
        properties = pika.BasicProperties(
            delivery_mode=pika.DeliveryMode.Persistent,
            content_type="application/json",
            # The same with every try: however often the broker gets it, Tidegate sends it once.
            message_id=job["id"],
            app_id=source,
            headers={"enqueued_at": int(time.time() * 1000)},
        )
        failures = 0
        while True:
            try:
                # Where no queue is bound for the lane, the exchange hands the message to `tidegate.returned`, and
                # `tidegate dead list` shows it. `mandatory` speaks up where that exchange is missing, too.
                self.open().basic_publish(self.exchange, lane, json.dumps(job).encode(), properties, mandatory=True)
                return
            except UnroutableError:
                raise SystemExit(f"nobody takes {lane}: is the pool's name right? `tidegate migrate` declares its queues")
            except NackError:
                why = "the broker could not take it: the queue is full, or its leader is just changing"
            except ProbableAuthenticationError:
                raise SystemExit("the broker does not let us in: are user, password and vhost in AMQP_URL right?")
            except ChannelClosedByBroker as error:
                raise SystemExit(f"{error}: is Tidegate's exchange declared? `tidegate migrate` does it")
            except (AMQPError, OSError) as error:
                # Perhaps the broker took it and only its confirm was lost. That does not matter: see message_id.
                why = f"{type(error).__name__}: {error}"
                self.channel = None
            failures += 1
            wait = random.uniform(0, min(LONGEST_WAIT_SECONDS, 0.5 * 2**failures))
            print(f"{job['id']}: {why}; again in {wait:.1f} s", file=sys.stderr)
            time.sleep(wait)

    def open(self):
        """The channel there is, or a new one."""
        if self.channel is None or self.channel.is_closed:
            connection = pika.BlockingConnection(self.parameters)
            connection.add_on_connection_blocked_callback(
                lambda _connection, frame: print(f"the broker takes nothing: {frame.method.reason}", file=sys.stderr)
            )
            connection.add_on_connection_unblocked_callback(
                lambda _connection, _frame: print("the broker takes messages again", file=sys.stderr)
            )
            self.channel = connection.channel()
            # From now on basic_publish returns when the broker has confirmed, and raises when it refuses.
            self.channel.confirm_delivery()
        return self.channel

    def close(self):
        if self.channel is not None and self.channel.is_open:
            self.channel.connection.close()


def main():
    arguments = argparse.ArgumentParser(description="Publishes jobs, a JSON object a line, from standard input.")
    arguments.add_argument("--source", default="shop", help="who you are; events come by this name")
    arguments.add_argument("--pool", default="default", help="the numbers that may send")
    arguments.add_argument("--priority", default="normal", choices=["urgent", "high", "normal", "bulk"])
    chosen = arguments.parse_args()

    url = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2f")
    producer = Producer(url, os.environ.get("TIDEGATE_PREFIX", "tidegate"))
    published = 0
    for line in filter(str.strip, sys.stdin):
        producer.publish(json.loads(line), f"{chosen.pool}.{chosen.priority}", chosen.source)
        published += 1
    producer.close()
    print(f"published {published}", file=sys.stderr)


if __name__ == "__main__":
    main()
