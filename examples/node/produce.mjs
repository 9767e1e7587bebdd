// Publishes jobs to Tidegate over RabbitMQ: none is lost, and none is sent twice.
//
//   npm ci
//   export AMQP_URL=amqp://guest:guest@localhost:5672/%2f
//   node produce.mjs --source shop --priority normal < jobs.jsonl
//
// A line is a job. Its id is yours, made of what it is about, and the same whenever you publish it again:
//
//   {"id": "order-17-shipped", "to": "+447700900123", "message": {"type": "template", "template": {...}}}

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import amqp from "amqplib";

// How many jobs are on their way to the broker at once.
const WINDOW = 200;
// A confirm may take so long: a cluster that changes its leader takes up to 27 s, and a broker that is short of memory
// or disk takes nothing for as long as that lasts.
const CONFIRM_MS = 60_000;
// The longest wait between two tries. Without any, a publisher whose messages are refused spins.
const LONGEST_WAIT_MS = 30_000;

/** What trying again does not mend. */
class Hopeless extends Error {}

/** Publishes over one connection, and opens another when that one breaks. */
class Producer {
  #opening = null;

  constructor(url, prefix) {
    this.url = url;
    this.exchange = `${prefix}.jobs`;
  }

  /** Settles once the broker has the job safe on disk, however long that takes. */
  async publish(job, lane, source) {
    for (let failures = 1; ; failures++) {
      try {
        const { channel } = await this.#open();
        return await this.#confirmed(channel, job, lane, source);
      } catch (error) {
        if (error instanceof Hopeless) throw error;
        const wait = Math.random() * Math.min(LONGEST_WAIT_MS, 500 * 2 ** failures);
        console.error(`${job.id}: ${error.message}; again in ${(wait / 1000).toFixed(1)} s`);
        await sleep(wait);
      }
    }
  }

  #confirmed(channel, job, lane, source) {
    return new Promise((resolve, reject) => {
      const options = {
        persistent: true,
        contentType: "application/json",
        // The same with every try: however often the broker gets it, Tidegate sends it once.
        messageId: job.id,
        appId: source,
        headers: { enqueued_at: Date.now() },
        // Where no queue is bound for the lane, the exchange hands the message to `tidegate.returned`, and
        // `tidegate dead list` shows it. `mandatory` speaks up where that exchange is missing, too.
        mandatory: true,
      };
      const late = setTimeout(() => {
        // Perhaps the broker took it and only its confirm was lost. That does not matter: see messageId.
        reject(new Error("no confirm"));
        this.close();
      }, CONFIRM_MS);
      // Called when the broker confirms, when it refuses (a nack: the queue is full, or its leader is just changing),
      // and when the channel breaks before it said either. A return comes before its confirm.
      channel.publish(this.exchange, lane, Buffer.from(JSON.stringify(job)), options, (refused) => {
        clearTimeout(late);
        if (channel.returned.delete(job.id)) {
          reject(new Hopeless(`nobody takes ${lane}: is the pool's name right? \`tidegate migrate\` declares its queues`));
        } else if (refused) {
          reject(channel.broken ?? new Error(`not confirmed: ${refused.message}`));
        } else {
          resolve();
        }
      });
    });
  }

  /** The channel there is, or a new one; whoever asks meanwhile waits for the same. */
  #open() {
    this.#opening ??= this.#connect().catch((error) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  async #connect() {
    const connection = await amqp.connect(this.url, { heartbeat: 30 }).catch((error) => {
      if (/ACCESS_REFUSED|NOT_ALLOWED/.test(error.message)) throw new Hopeless(`the broker does not let us in: ${error.message}`);
      throw error;
    });
    const gone = () => {
      this.#opening = null;
    };
    connection.on("error", gone).on("close", gone);
    connection.on("blocked", (why) => console.error(`the broker takes nothing: ${why}`));
    connection.on("unblocked", () => console.error("the broker takes messages again"));
    const channel = await connection.createConfirmChannel();
    channel.returned = new Set();
    channel.on("return", (message) => channel.returned.add(message.properties.messageId));
    channel.on("close", gone);
    channel.on("error", (error) => {
      // The exchange is not there, or we may not write to it.
      channel.broken = new Hopeless(`${error.message}: is Tidegate's exchange declared? \`tidegate migrate\` does it`);
    });
    return { connection, channel };
  }

  async close() {
    const opening = this.#opening;
    this.#opening = null;
    // It may be broken already.
    await opening?.then(({ connection }) => connection.close()).catch(() => {});
  }
}

const { values: chosen } = parseArgs({
  options: {
    source: { type: "string", default: "shop" },
    pool: { type: "string", default: "default" },
    priority: { type: "string", default: "normal" },
  },
});
const producer = new Producer(
  process.env.AMQP_URL ?? "amqp://guest:guest@localhost:5672/%2f",
  process.env.TIDEGATE_PREFIX ?? "tidegate",
);
const underway = new Set();
let published = 0;
let problem = null;
for await (const line of createInterface({ input: process.stdin })) {
  if (problem) break;
  if (!line.trim()) continue;
  const one = producer
    .publish(JSON.parse(line), `${chosen.pool}.${chosen.priority}`, chosen.source)
    .then(() => published++)
    .catch((error) => (problem ??= error))
    .finally(() => underway.delete(one));
  underway.add(one);
  if (underway.size >= WINDOW) await Promise.race(underway);
}
await Promise.all(underway);
await producer.close();
console.error(problem ? problem.message : `published ${published}`);
process.exit(problem ? 1 : 0);
