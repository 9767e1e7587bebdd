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
import sys
from datetime import datetime, timedelta, timezone

import pika
from pika.exceptions import AMQPError

# How to publish a job until the broker has it for sure, and how to follow events: the examples beside this one.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from events import follow  # noqa: E402
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
    # A choice about marketing (`preference`) comes this way too, and is no message.
    if event["type"] != "text":
        return None
    message = event["message"]
    # What one of your own people wrote in the app on the phone names who it was for.
    if "to" in message:
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

    def take(method, _properties, event):
        nonlocal taken
        taken += 1
        job = job_for(event)
        if job is None:
            print(f"not answered: {event['type']}", file=sys.stderr)
        else:
            # The pool of the number that they wrote to; before campaigns, after one-time passwords.
            pool = method.routing_key.rsplit(".", 1)[1]
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

    parameters = pika.URLParameters(url)
    # `answer` keeps us from reading heartbeats.
    parameters.heartbeat = 1_800
    queue = f"{chosen.source}.whatsapp-inbound"
    # inbound.<type>.<pool>: all of it. An event is acked when the broker has its answer: had we died before, it would come
    # again.
    follow(parameters, queue, f"{prefix}.events", "inbound.#", take, prefetch=1, rest=rest)
    producer.close()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
