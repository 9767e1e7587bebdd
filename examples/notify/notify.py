#!/usr/bin/env python3
"""The four notifications of an app in which people talk, by turns, until they agree: invite, turn, agreement, break.

    pip install -r ../python/requirements.txt
    export AMQP_URL=amqp://guest:guest@localhost:5672/%2f
    python notify.py --to +447700900123            # publishes one of each, and prints the jobs

Each function publishes one job by a template of Meta's, whose text is in templates/. Call it as often as you like: its id is
made of what it is about, so that a person gets it once.
"""

import argparse
import json
import os
import pathlib
import sys
from dataclasses import dataclass

# Publishes a job until the broker has it for sure: the example beside this one.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from produce import Producer  # noqa: E402

SOURCE = "talks"
POOL = "default"
LANGUAGE = "en"


@dataclass(frozen=True)
class Person:
    """Who is told; `id` is your own, so that no phone number stands in a job's id."""

    id: str
    to: str
    name: str


@dataclass(frozen=True)
class Talk:
    """What it is about."""

    id: str
    topic: str


def invite(producer, person, talk, host, token):
    """`host` asks the person into the talk; the button opens it. Once for each token: a new one invites again."""
    return publish(
        producer,
        "invite",
        token,
        person,
        talk,
        # It reaches people who asked for nothing. To Meta that is marketing, and to whoever said STOP.
        {"category": "marketing", "ttl": "72h"},
        "normal",
        {"name": person.name, "host": host, "topic": talk.topic},
        url=token,
    )


def turn(producer, person, talk, number):
    """It is the person's turn, the talk's `number`-th. Of no use once the next day has begun."""
    return publish(
        producer,
        "turn",
        number,
        person,
        talk,
        {"category": "utility", "ttl": "12h"},
        "high",
        {"name": person.name, "topic": talk.topic, "turn": str(number)},
    )


def agreement(producer, person, talk, version, summary):
    """Everybody agreed on this; each `version` is told once."""
    return publish(
        producer,
        "agreement",
        version,
        person,
        talk,
        {"category": "utility", "ttl": "24h"},
        "high",
        {"name": person.name, "topic": talk.topic, "summary": summary},
    )


def break_(producer, person, talk, number, until):
    """The talk rests, for the `number`-th time, until then (words for people). Nobody needs to know when it is over."""
    return publish(
        producer,
        "break",
        number,
        person,
        talk,
        {"category": "utility", "ttl": "1h"},
        "normal",
        {"name": person.name, "topic": talk.topic, "until": until},
    )


def publish(producer, kind, which, person, talk, terms, priority, words, url=None):
    """Publishes the job, and gives it back."""
    named = [{"type": "text", "parameter_name": name, "text": text} for name, text in words.items()]
    components = [{"type": "body", "parameters": named}]
    if url is not None:
        # What takes the place of {{1}} in the button's address.
        link = {"type": "text", "text": url}
        components.append({"type": "button", "sub_type": "url", "index": "0", "parameters": [link]})
    job = {
        # Talk, kind, which of its kind, person: the same every time that the same thing is told.
        "id": f"{talk.id}-{kind}-{which}-{person.id}",
        "to": person.to,
        **terms,
        "message": {
            "type": "template",
            "template": {"name": f"talk_{kind}", "language": {"code": LANGUAGE}, "components": components},
        },
        # Comes back with every event of this job.
        "metadata": {"kind": kind, "talk": talk.id, "person": person.id},
    }
    # The routing key says pool and priority; the job need not.
    producer.publish(job, f"{POOL}.{priority}", SOURCE)
    return job


def main():
    arguments = argparse.ArgumentParser(description="Publishes one of each notification, and prints the jobs.")
    arguments.add_argument("--to", required=True, help="a phone number")
    chosen = arguments.parse_args()

    url = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2f")
    producer = Producer(url, os.environ.get("TIDEGATE_PREFIX", "tidegate"))
    person, talk = Person("p7", chosen.to, "Amina"), Talk("t42", "the garden fence")
    jobs = [
        invite(producer, person, talk, host="Jonas", token="k3J9xQ"),
        turn(producer, person, talk, number=3),
        agreement(producer, person, talk, version=1, summary="the fence stays, and the hedge is cut in May"),
        break_(producer, person, talk, number=1, until="Monday, 9:00"),
    ]
    producer.close()
    for job in jobs:
        print(json.dumps(job))


if __name__ == "__main__":
    main()
