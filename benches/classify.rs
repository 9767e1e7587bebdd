//! What an answer of Meta's costs: read, looked up in the table of codes, decided. Beside it the bare parse of the same
//! bytes as JSON.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use http::{HeaderMap, StatusCode};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tidegate::clock::Timestamp;
use tidegate::graph::answer;
use tidegate::job::{self, Received};
use tidegate::ledger::{Account, UnknownWait};
use tidegate::worker::retry::Retries;
use tidegate::worker::verdict::{self, Context};

const ACCEPTED: &str = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+447700900123","wa_id":"447700900123"}],"messages":[{"id":"wamid.HBgLNDQ3NzAwOTAwMTIzFQIAERgSQTBGNzk2RDI4QjM4RkE3MDAA","message_status":"accepted"}]}"#;
const REFUSED: &str = r#"{"error":{"message":"(#131026) Message undeliverable","type":"OAuthException","code":131026,"error_data":{"messaging_product":"whatsapp","details":"Message Undeliverable."},"fbtrace_id":"A1b2"}}"#;
const THROTTLED: &str = r#"{"error":{"message":"(#130429) Rate limit hit","type":"OAuthException","code":130429,"error_subcode":2494055,"error_data":{"messaging_product":"whatsapp","details":"Throughput reached."},"fbtrace_id":"A1b2"}}"#;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let now = Timestamp::from_millis(1_700_000_000_000);
    let json = r#"{"id":"order-17","to":"+447700900123","message":{"type":"template","template":{"name":"shipped","language":{"code":"en_US"}}}}"#;
    let job = job::parse(json.as_bytes(), &Received::here(now)).expect("a job");
    let number = "1001".parse().expect("an id");
    let account = Account { credential: "default".into(), waba: "1".into(), portfolio: "2".into() };
    let minute = Duration::from_secs(60);
    let context = Context {
        job: &job,
        attempt: 1,
        tries: 0,
        number: &number,
        account: &account,
        retries: Retries { base: Duration::from_secs(1), cap: minute, attempts: 8 },
        unknown: UnknownWait { authentication: minute, others: minute, silence: minute },
        now,
    };
    let mut rng = SmallRng::seed_from_u64(1);
    let mut group = criterion.benchmark_group("classify");
    for (name, status, body) in [("accepted", 200, ACCEPTED), ("refused", 400, REFUSED), ("throttled", 400, THROTTLED)]
    {
        let status = StatusCode::from_u16(status).expect("a status");
        let headers = HeaderMap::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let outcome = answer::read(status, &headers, black_box(body.as_bytes()));
                verdict::decide(outcome, &context, &mut rng)
            });
        });
        group.bench_function(format!("{name}, bare JSON parse"), |bencher| {
            bencher.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(body.as_bytes())).expect("JSON"));
        });
    }
    group.finish();
    criterion.final_summary();
}
