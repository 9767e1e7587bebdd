#!/usr/bin/env python3
"""Makes overview.json, the board that answers: is anything late, and why?

    board.py            writes overview.json beside this file
    board.py --check    fails if overview.json is not what would be written
"""

import json
import pathlib
import sys

BOARD = pathlib.Path(__file__).with_name("overview.json")

# What the reader chose above the board.
OURS = 'job="$job", instance=~"$instance"'
NUMBERS = OURS + ', number=~"$number"'

GREEN, YELLOW, RED = "green", "orange", "red"


def target(expression, legend="", instant=False):
    """One query. {} in it stands for the chosen workers, {n} for the chosen numbers too."""
    expression = expression.replace("{n}", "{" + NUMBERS + "}").replace("{}", "{" + OURS + "}")
    return {"expr": " ".join(expression.split()), "legendFormat": legend or "__auto", "instant": instant, "range": not instant}


def panel(kind, title, description, unit, targets, options, defaults=None, overrides=()):
    for letter, query in zip("ABCDEFGH", targets):
        query["refId"] = letter
        query["datasource"] = {"type": "prometheus", "uid": "$datasource"}
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": {"type": "prometheus", "uid": "$datasource"},
        "targets": targets,
        "options": options,
        "fieldConfig": {"defaults": {"unit": unit, **(defaults or {})}, "overrides": list(overrides)},
    }


def steps(*colours):
    """Thresholds: a colour, then pairs of where the next begins and which it is."""
    first, rest = colours[0], colours[1:]
    pairs = [(None, first), *zip(rest[::2], rest[1::2])]
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in pairs]}


def stat(title, description, unit, expression, thresholds, words=None, nothing=None):
    mappings = []
    if words:
        options = {str(value): {"text": text, "index": index} for index, (value, text) in enumerate(words.items())}
        mappings.append({"type": "value", "options": options})
    if nothing:
        mappings.append({"type": "special", "options": {"match": "null+nan", "result": {"text": nothing}}})
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background",
        "graphMode": "none",
        "justifyMode": "auto",
        "textMode": "value",
    }
    defaults = {"thresholds": thresholds, "mappings": mappings, "noValue": nothing or "0"}
    return panel("stat", title, description, unit, [target(expression, instant=True)], options, defaults)


def graph(title, description, unit, targets, stacked=False, overrides=(), limits=None):
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 5,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    defaults = {"custom": custom, "min": 0}
    if limits:
        custom["thresholdsStyle"] = {"mode": "dashed"}
        defaults["thresholds"] = limits
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, description, unit, targets, options, defaults, overrides)


def dashed(pattern):
    return {
        "matcher": {"id": "byRegexp", "options": pattern},
        "properties": [
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [6, 6]}},
            {"id": "custom.fillOpacity", "value": 0},
        ],
    }


def right(name, unit):
    """A line of its own unit, read on the right."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": "unit", "value": unit}, {"id": "custom.axisPlacement", "value": "right"}],
    }

def per_second(metric, by="", chosen="{}", only=""):
    """How often something happens, each second; `by` the labels that keep it apart."""
    return f"{total(by)}(rate({series(metric, chosen, only)}[$__rate_interval]))"


def recently(metric, by="", only=""):
    """How often something happened in the last five minutes."""
    return f"{total(by)}(increase({series(metric, '{}', only)}[5m]))"


def total(by):
    return f"sum by ({by}) " if by else "sum"


def series(metric, chosen, only):
    """A metric of whom the reader chose, less what is of no interest here."""
    chosen = {"{}": OURS, "{n}": NUMBERS}[chosen]
    return metric + "{" + (f"{only}, {chosen}" if only else chosen) + "}"


def quantile(share, metric, by="", chosen="{}"):
    """Below what so large a share of a histogram lies."""
    return f"histogram_quantile({share}, {per_second(metric + '_bucket', f'{by}, le' if by else 'le', chosen)})"


def middle_and_worst(metric, who="", chosen="{}"):
    """The median of a histogram and its 99th percentile, for each value of the label `who`."""
    before = f"{{{{{who}}}}} " if who else ""
    return [
        target(quantile(share, metric, who, chosen), before + words)
        for share, words in [(0.5, "median"), (0.99, "p99")]
    ]


def pieces(title, description, unit, expression, legend):
    """A graph of one query, whose lines stand on one another: what is in it, and how much."""
    return graph(title, description, unit, [target(expression, legend)], stacked=True)


# Rows of the board: a height, and panels, each with its width of 24.
ROWS = [
    (4, [
        (4, stat(
            "Oldest job that could go",
            "How long the job that waits longest could have gone already, in a worker's hands or in the ledger (which is looked "
            "at every 15 s). Behind a campaign at its limit this is the campaign's age: look at «Rate against limit» beside it.",
            "s",
            """clamp_min(time() - min(
                {__name__=~"tidegate_queue_oldest_enqueued_timestamp_seconds|tidegate_waiting_oldest_due_timestamp_seconds", %s} > 0
            ), 0) or vector(0)""" % OURS,
            steps(GREEN, 60, YELLOW, 300, RED),
        )),
        (4, stat(
            "Rate, of the limit",
            "What Meta accepted in the last minute, as a share of what the numbers that may send just now could have sent. "
            "Late and near 100 %: Meta's limit is why. Late and low: it is not.",
            "percentunit",
            """sum(rate(tidegate_send_attempts_total{outcome="accepted", %s}[1m]))
               / sum(tidegate_rate_limit_per_second{} and tidegate_balance_share_ratio{} > 0)""" % OURS,
            steps("blue"),
        )),
        (3, stat(
            "Numbers that may send",
            "Numbers with a worker, a good credential, no hold and a status that may send.",
            "short",
            "count(tidegate_balance_share_ratio{} > 0) or vector(0)",
            steps(RED, 1, GREEN),
        )),
        (3, stat(
            "Numbers without a worker",
            "Numbers that are known and whose lease nobody holds.",
            "short",
            'count(max by (number) (tidegate_number_info{}) unless on (number) (sum by (number) (tidegate_lease_held{}) > 0)) or vector(0)',
            steps(GREEN, 1, RED),
        )),
        (2, stat(
            "Ledger",
            "Whether every worker's ledger answers. While it does not, nothing is sent, and nothing is lost.",
            "short",
            "min(tidegate_ledger_up{})",
            steps(RED, 1, GREEN),
            {0: "away", 1: "up"},
            "no worker",
        )),
        (2, stat(
            "Broker",
            "Whether every worker is connected to RabbitMQ, for consuming and for publishing, and may publish.",
            "short",
            "min(tidegate_broker_connected{}) - 0.5 * max(tidegate_broker_blocked{})",
            steps(RED, 0.5, YELLOW, 1, GREEN),
            {0: "away", 0.5: "blocked", 1: "up"},
            "none",
        )),
        (2, stat(
            "Tokens rejected",
            "Credentials under a hold: Meta rejects the token. What uses it waits, and one job a minute tries it.",
            "short",
            'max(tidegate_holds{scope="credential", %s})' % OURS,
            steps(GREEN, 1, RED),
        )),
        (2, stat(
            "Unknown",
            "Jobs that may or may not have been sent, and wait for news of it or for their policy.",
            "short",
            "max(tidegate_unknown_pending{})",
            steps(GREEN, 1, YELLOW, 100, RED),
        )),
        (2, stat(
            "Dead",
            "What was handed in and could not become a job, and lies there for a person: `tidegate dead list`.",
            "short",
            "max(tidegate_dead{})",
            steps(GREEN, 1, YELLOW),
        )),
    ]),
    (8, [
        (8, graph(
            "How late, by lane",
            "For how long the oldest job of a lane could have gone already, in a worker's hands and in the ledger. Rows that "
            "may go by one number alone are not looked at in the ledger.",
            "s",
            [
                target("max by (lane) (time() - (tidegate_queue_oldest_enqueued_timestamp_seconds{} > 0))", "{{lane}}, in hand"),
                target("clamp_min(max by (lane) (time() - (tidegate_waiting_oldest_due_timestamp_seconds{} > 0)), 0)", "{{lane}}, in the ledger"),
            ],
            limits=steps("transparent", 300, RED),
        )),
        (8, graph(
            "Age of a job when its request starts",
            "Counted from its publishing or its not_before. A one-time password is promised 30 ms at the median and 80 ms at "
            "p99, whatever campaign is running.",
            "s",
            middle_and_worst("tidegate_job_wait_seconds", "priority"),
        )),
        (8, pieces(
            "What waiting jobs wait for",
            "Jobs with a time or under a hold, in the whole ledger, by why. What is in line for its turn is not among them.",
            "short",
            "max by (reason) (tidegate_waiting{}) > 0",
            "{{reason}}",
        )),
    ]),
    (8, [
        (8, graph(
            "Rate against limit, by number",
            "Messages that Meta accepted a second; dashed: what the number may send.",
            "mps",
            [
                target(per_second("tidegate_send_attempts_total", "number", chosen="{n}", only='outcome="accepted"'), "{{number}}"),
                target("max by (number) (tidegate_rate_limit_per_second{n})", "{{number}} limit"),
            ],
            overrides=[dashed(".* limit")],
        )),
        (8, graph(
            "Numbers that may not send, and why",
            "held: see the holds; unread: Meta's fields of it could not be read; account_restricted: its status; no_number: "
            "no worker has its lease.",
            "short",
            [
                target("""max by (number, reason) (tidegate_number_paused{reason!="no_number", %s})""" % NUMBERS, "{{number}} {{reason}}"),
                target("""max by (number) (tidegate_number_info{n}) unless on (number) (sum by (number) (tidegate_lease_held{n}) > 0)""", "{{number}} no_number"),
            ],
            stacked=True,
        )),
        (8, pieces(
            "Holds, by what they cover",
            "What blocks the way: `tidegate holds list` says why, who placed it, and until when. Holds over single recipients "
            "(opt-outs) are left out.",
            "short",
            'max by (scope) (tidegate_holds{scope!="recipient", %s}) > 0' % OURS,
            "{{scope}}",
        )),
    ]),
    (8, [
        (8, pieces(
            "What becomes of attempts",
            "Requests a second by what they came to. not_sent costs nothing; unknown is found out before anything is sent "
            "again.",
            "reqps",
            per_second("tidegate_send_attempts_total", "outcome", chosen="{n}"),
            "{{outcome}}",
        )),
        (8, pieces(
            "Errors, by Meta's code",
            "Refusals a second, by Meta's code and our reason.",
            "reqps",
            per_second("tidegate_send_errors_total", "code, reason", chosen="{n}") + " > 0",
            "{{code}} {{reason}}",
        )),
        (8, graph(
            "How long Meta takes",
            "From the permit to Meta's whole answer.",
            "s",
            middle_and_worst("tidegate_send_duration_seconds", chosen="{n}"),
        )),
    ]),
    (8, [
        (6, graph(
            "Jobs, by the state they enter",
            "Jobs a second that ended or came into doubt, by state.",
            "ops",
            [target(per_second("tidegate_jobs_total", "state", only='state!~"queued|sending|waiting"') + " > 0", "{{state}}")],
        )),
        (6, graph(
            "Jobs that ended unsent, and retries",
            "Jobs a second that ended without being sent, and attempts a second that will be made again, each by why.",
            "ops",
            [
                target(per_second("tidegate_jobs_ended_unsent_total", "reason") + " > 0", "ended: {{reason}}"),
                target(per_second("tidegate_retries_total", "reason") + " > 0", "again: {{reason}}"),
            ],
        )),
        (6, graph(
            "Messaging limit",
            "People written to first in the last 24 hours, of how many each portfolio may write to, and the jobs that wait for "
            "such a place. At the limit less the reserve, only `urgent` and `high` jobs go to new people.",
            "short",
            [
                target("max by (portfolio) (tidegate_quota_used{})", "{{portfolio}} used"),
                target("min by (portfolio) (tidegate_quota_limit{} < +Inf)", "{{portfolio}} limit"),
                target("max by (portfolio) (tidegate_quota_waiting{})", "{{portfolio}} waiting"),
            ],
            overrides=[dashed(".*limit")],
        )),
        (6, pieces(
            "Quality, as Meta rates it",
            "Numbers by the rating of what they sent in the last seven days. A red one gets a tenth of the share of a green one.",
            "short",
            "sum by (rating) (max by (number, rating) (tidegate_number_quality{n})) > 0",
            "{{rating}}",
        )),
    ]),
    (8, [
        (8, pieces(
            "Meta talks back: what comes",
            "Requests a second at the webhook's address, by what came of them. kept is on disk; full and ledger_away were "
            "answered 503, and Meta repeats them; the rest is refused.",
            "reqps",
            per_second("tidegate_webhook_requests_total", "result") + " > 0",
            "{{result}}",
        )),
        (8, pieces(
            "Meta talks back: what it tells",
            "Updates a second that were applied, by kind. foreign: of messages that are none of ours; strange: of what nobody "
            "here understands.",
            "ops",
            per_second("tidegate_webhook_updates_total", "kind") + " > 0",
            "{{kind}}",
        )),
        (8, graph(
            "Meta talks back: how long our answers take",
            "From a webhook's head to its answer, its way to disk included. Meta wants 250 ms at the median, and less than "
            "1 % above a second.",
            "s",
            middle_and_worst("tidegate_webhook_seconds"),
        )),
    ]),
    (8, [
        (6, graph(
            "Meta talks back: age of the inbox",
            "How long the oldest webhook that is not applied has been lying on disk, and how long a batch of them takes.",
            "s",
            [
                target("clamp_min(time() - min(tidegate_inbox_oldest_timestamp_seconds{} > 0), 0) or vector(0)", "oldest"),
                target(quantile(0.99, "tidegate_webhook_apply_seconds"), "batch p99"),
            ],
        )),
        (6, graph(
            "From acceptance to delivery",
            "By Meta's clock. Phones that are off make the slow ones.",
            "s",
            middle_and_worst("tidegate_delivery_latency_seconds"),
        )),
        (6, graph(
            "Unknown, and what settles it",
            "Jobs in doubt, and how fast the doubt ends: left is `unresolved` for good.",
            "short",
            [
                target("max(tidegate_unknown_pending{})", "in doubt"),
                target(recently("tidegate_unknown_settled_total", "by") + " > 0", "{{by}}, in 5 min"),
            ],
        )),
        (6, pieces(
            "Prices",
            "Messages an hour whose price Meta told, by as what and how they are billed: regular ones cost.",
            "short",
            "3600 * " + per_second("tidegate_priced_total", "category, type"),
            "{{category}} {{type}}",
        )),
    ]),
    (8, [
        (8, graph(
            "Ledger",
            "Time of its commits and admissions at p99: below 25 ms is well, above 50 ms holds up the sending; calls that it "
            "could not carry out, a second; calls that wait for a connection to PostgreSQL.",
            "s",
            [
                target(quantile(0.99, "tidegate_ledger_commit_duration_seconds"), "commit p99"),
                target(quantile(0.99, "tidegate_admission_duration_seconds"), "admission p99"),
                target(per_second("tidegate_ledger_failures_total"), "failures"),
                target("sum(tidegate_ledger_pool_waiting{})", "wait for a connection"),
            ],
            overrides=[right("failures", "ops"), right("wait for a connection", "short")],
        )),
        (8, graph(
            "Leases and fences",
            "Leases that changed hands, and writes that were refused since a number belongs to another worker now. Both are "
            "quiet but for starts, stops and crashes.",
            "short",
            [
                target(recently("tidegate_lease_transitions_total", "reason"), "lease {{reason}}, in 5 min"),
                target(recently("tidegate_fenced_writes_total"), "fenced, in 5 min"),
            ],
        )),
        (8, graph(
            "Workers",
            "Processor time of each worker: one is one thread, and near 100 % it is at its limit.",
            "percentunit",
            [target("rate(process_cpu_seconds_total{}[$__rate_interval])", "{{instance}}")],
        )),
    ]),
    (8, [
        (6, pieces(
            "Jobs that lie in the broker",
            "Messages in the lanes' queues that nobody has in hand. RabbitMQ tells it, by /metrics/detailed with the family "
            "queue_coarse_metrics.",
            "short",
            'sum by (queue) (rabbitmq_detailed_queue_messages_ready{queue=~".+[.]jobs[.].+"})',
            "{{queue}}",
        )),
        (6, graph(
            "Broker: what comes",
            "Deliveries a second, and how many are in workers' hands unacked. Redelivered ones were in hand of a worker or a "
            "connection that went away.",
            "ops",
            [
                target(per_second("tidegate_queue_deliveries_total", only='redelivered="false"'), "delivered"),
                target(per_second("tidegate_queue_deliveries_total", only='redelivered="true"'), "redelivered"),
                target("sum(tidegate_queue_unacked{})", "unacked"),
            ],
            overrides=[right("unacked", "short")],
        )),
        (6, graph(
            "Broker: what goes",
            "Events published a second, by what the broker said, and how many are not published yet.",
            "ops",
            [
                target(per_second("tidegate_publish_total", "result"), "{{result}}"),
                target("max(tidegate_outbox_pending{})", "not published yet"),
            ],
            overrides=[right("not published yet", "short")],
        )),
        (6, graph(
            "Broker: connections",
            "Times that it had to be connected to again, by why, and how long its confirms take at p99.",
            "short",
            [
                target(recently("tidegate_broker_reconnects_total", "reason"), "{{reason}}, in 5 min"),
                target(quantile(0.99, "tidegate_publish_confirm_duration_seconds"), "confirm p99"),
            ],
            overrides=[right("confirm p99", "s")],
        )),
    ]),
]


def choice(name, label, query, many):
    """A variable that is filled from a label's values."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "$datasource"},
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": many,
        "includeAll": many,
        "current": {"text": "All", "value": "$__all"} if many else {},
    }


def place(rows):
    """Gives each panel its number and its place."""
    panels, y = [], 0
    for height, row in rows:
        x = 0
        for width, made in row:
            panels.append({"id": len(panels) + 1, "gridPos": {"x": x, "y": y, "w": width, "h": height}, **made})
            x += width
        assert x == 24, f"the row at {y} is {x} wide"
        y += height
    return panels


def board():
    return {
        "uid": "tidegate-overview",
        "title": "Tidegate: overview",
        "description": "Is anything late, and why? Made by board.py.",
        "tags": ["tidegate"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}},
                choice("job", "Job", "label_values(tidegate_build_info, job)", many=False),
                choice("instance", "Worker", 'label_values(tidegate_build_info{job="$job"}, instance)', many=True),
                choice("number", "Number", 'label_values(tidegate_number_info{job="$job"}, number)', many=True),
            ]
        },
        "annotations": {
            "list": [
                {
                    "name": "Alerts",
                    "datasource": {"type": "prometheus", "uid": "$datasource"},
                    "enable": True,
                    "expr": 'ALERTS{alertname=~"Tidegate.*", alertstate="firing"}',
                    "titleFormat": "{{alertname}}",
                    "textFormat": "See deploy/runbooks/{{alertname}}.md",
                    "iconColor": "red",
                }
            ]
        },
        "links": [],
        "panels": place(ROWS),
    }


def main():
    made = json.dumps(board(), indent=2, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        if not BOARD.exists() or BOARD.read_text(encoding="utf-8") != made:
            sys.exit(f"{BOARD} is not what board.py makes: run {sys.argv[0]}")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        BOARD.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
