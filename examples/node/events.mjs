// Follows what becomes of one source's jobs, by Tidegate's events.
//
//   npm ci
//   export AMQP_URL=amqp://guest:guest@localhost:5672/%2f
//   node events.mjs --source shop
//
// Prints an event a line. It ends after --count events, or never.

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import amqp from "amqplib";

const { values: chosen } = parseArgs({
  options: { source: { type: "string", default: "shop" }, count: { type: "string" } },
});
const url = process.env.AMQP_URL ?? "amqp://guest:guest@localhost:5672/%2f";
const exchange = `${process.env.TIDEGATE_PREFIX ?? "tidegate"}.events`;
// It outlives us: what happens while we are away is there when we come back.
const queue = `${chosen.source}.whatsapp-events`;
// An event may come twice, with the same id in `event`. Your database would keep these, by a unique index; and it would
// keep of each job the latest state by (attempt, rank of state), since two events may change places on their way.
const seen = new Set();
const enough = () => chosen.count !== undefined && seen.size >= Number(chosen.count);

function take(type, event) {
  if (seen.has(event.event)) return;
  seen.add(event.event);
  console.log(JSON.stringify({ type, ...event }));
}

/** Settles when enough was seen, and fails when the connection breaks. */
async function follow() {
  const connection = await amqp.connect(url, { heartbeat: 30 });
  let finish;
  const ended = new Promise((resolve, reject) => {
    finish = resolve;
    connection.on("error", reject);
    connection.on("close", () => reject(new Error("the connection was closed")));
  });
  // Whoever waits for the channel below is told of a break there first.
  ended.catch(() => {});
  const channel = await connection.createChannel();
  channel.on("error", (error) => {
    console.error(`${error.message}: is Tidegate's exchange declared? \`tidegate migrate\` does it`);
    process.exit(1);
  });
  await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } });
  // message.<state>.<pool>.<source>: all states, all pools, our jobs only.
  await channel.bindQueue(queue, exchange, `message.*.*.${chosen.source}`);
  await channel.prefetch(100);
  await channel.consume(queue, (message) => {
    // Null: the queue was deleted.
    if (message === null) return finish();
    if (enough()) return;
    take(message.properties.type, JSON.parse(message.content.toString()));
    // Only now: had we died before, the event would come again.
    channel.ack(message);
    if (enough()) finish();
  });
  console.error(`following ${queue}`);
  await ended;
  // It sends the last acknowledgements first.
  await channel.close();
  await connection.close();
}

for (let failures = 1; !enough(); failures++) {
  const before = seen.size;
  try {
    await follow();
  } catch (error) {
    if (/ACCESS_REFUSED|NOT_ALLOWED/.test(error.message)) {
      console.error(`the broker does not let us in: ${error.message}`);
      process.exit(1);
    }
    if (seen.size > before) failures = 1;
    const wait = Math.random() * Math.min(30_000, 500 * 2 ** failures);
    console.error(`${error.message}; again in ${(wait / 1000).toFixed(1)} s`);
    await sleep(wait);
  }
}
