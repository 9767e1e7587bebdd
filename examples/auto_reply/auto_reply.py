#!/usr/bin/env python3
"""Answers what people write to your numbers, inside the 24 hours in which that needs no template.

    pip install -r ../python/requirements.txt
    export AMQP_URL=amqp://guest:guest@localhost:5672/%2f
    python auto_reply.py

`answer` is the place for whatever knows what to say: a language model, a search, a person's desk.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import sys
import time
from datetime import datetime, timedelta, timezone

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ProbableAuthenticationError

# Publishes a job until the broker has it for sure: the example beside this one.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from produce import Producer  # noqa: E402

# An answer that is not sent by then is not sent: a conversation has gone on. The window itself is open for 24 hours.
ANSWER_WITHIN = timedelta(minutes=30)
# Whoever writes one of these wants to hear less, not more: Tidegate notes it (optouts.stop_words), and nobody answers.
STOP_WORDS = {"stop", "stop all", "stop promotions", "unsubscribe", "opt out", "opt-out", "abmelden", "arrêt", "baja", "parar"}
# The longest text that WhatsApp takes.
LONGEST_TEXT = 4_096


def answer(text: str) -> str:
    """What to say to this; nothing to say nothing. Put your AI here.

    It may take seconds: other messages wait for it, and the broker waits for us, for up to half an hour. It may raise:
    then the message comes again. It may be called twice for the same message, and only the first answer is sent.
    """
    return f"You wrote: {text}"


def job_for(event, reply=answer):
    """The job that answers this event; none, if there is nothing to answer."""
    message = event["message"]
    # What one of your own people wrote in the app on the phone names who it was for.
    if event["type"] != "text" or "to" in message:
        return None
    text = message["text"]["body"].strip()
    if not text or text.casefold().strip(" .,;:!?\"'") in STOP_WORDS:
        return None
    # Some people are known by a user id only.
    to = event.get("from") or event.get("from_user_id")
    until = datetime.fromisoformat(event["at"].replace("Z", "+00:00")) + ANSWER_WITHIN
    if not to or until <= datetime.now(timezone.utc):
        return None
    words = reply(text)
    if not words:
        return None
    return {
        # Made of the message that it answers: however often that comes, it is answered once. Meta's ids are long.
        "id": "answer-" + hashlib.sha256(event["wamid"].encode()).hexdigest()[:40],
        # The number that they wrote to: only there is the window open.
        "from": event["number"],
        "to": to,
        "expires_at": until.isoformat(),
        "message": {
            "type": "text",
            "context": {"message_id": event["wamid"]},
            "text": {"body": words[:LONGEST_TEXT]},
        },
        "metadata": {"answers": event["event"]},
    }


def follow(url, prefix, queue, take, rest):
    """Has `take` look at what people write, and at the pool of the number they wrote to, one at a time, until it says that
    this is enough. While nobody writes, `rest` is called now and then.
    """
    failures = 0
    while True:
        try:
            parameters = pika.URLParameters(url)
            # `answer` keeps us from reading heartbeats.
            parameters.heartbeat = 1_800
            connection = pika.BlockingConnection(parameters)
            channel = connection.channel()
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
            # inbound.<type>.<pool>: all of them, since what is not answered here is at least not forgotten elsewhere.
            channel.queue_bind(queue, f"{prefix}.events", "inbound.#")
            channel.basic_qos(prefetch_count=1)
            print(f"following {queue}", file=sys.stderr)
            for method, _properties, body in channel.consume(queue, inactivity_timeout=10):
                if method is None:
                    rest()
                    continue
                failures = 0
                enough = take(json.loads(body), method.routing_key.rsplit(".", 1)[1])
                # Only now, when the broker has the answer: had we died before, the event would come again.
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
    arguments = argparse.ArgumentParser(description="Answers what people write.")
    arguments.add_argument("--source", default="auto-reply", help="who you are; names the queue, too")
    arguments.add_argument("--count", type=int, help="end after so many events")
    chosen = arguments.parse_args()

    url = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2f")
    prefix = os.environ.get("TIDEGATE_PREFIX", "tidegate")
    # A connection of its own: a broker that is short of memory blocks whoever publishes, and events shall come all the same.
    producer = Producer(url, prefix)
    taken = 0

    def take(event, pool):
        nonlocal taken
        taken += 1
        job = job_for(event)
        if job is None:
            print(f"not answered: {event['type']}", file=sys.stderr)
        else:
            # Before campaigns, after one-time passwords.
            producer.publish(job, f"{pool}.high", chosen.source)
            print(f"answered {job['id']}", file=sys.stderr)
        return chosen.count is not None and taken >= chosen.count

    def rest():
        # Its heartbeats, without which the broker would close it while nobody writes.
        try:
            if producer.channel is not None and producer.channel.is_open:
                producer.channel.connection.process_data_events()
        except AMQPError:
            # The next answer opens another.
            producer.channel = None

    follow(url, prefix, f"{chosen.source}.whatsapp-inbound", take, rest)
    producer.close()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
