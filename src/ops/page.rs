//! The status page: one screen that says whether messages go out, and if not, why not.

use std::fmt::Write;
use std::time::Duration;

use super::html::{Escaped, grouped, relative, spaced, span};
use super::status::{HoldStatus, LaneStatus, NumberStatus, StatusSnapshot};
use crate::clock::Timestamp;
use crate::hold::{Effect, Scope};
use crate::metrics::Rating;
use crate::outcome::State;

const STYLE: &str = include_str!("page.css");

/// A snapshot older than this is not what is.
const STALE: Duration = Duration::from_secs(5);

/// The whole page; `silence` is how long the worker's loop has not turned, if that is too long.
pub(super) fn render(status: &StatusSnapshot, silence: Option<Duration>, now: Timestamp) -> String {
    let title = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Tidegate</title>\
                 <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
                 <meta http-equiv=\"refresh\" content=\"2\"><link rel=\"icon\" href=\"data:,\">";
    let parts = [
        verdict(status, silence, now),
        tiles(status),
        card("Numbers", &numbers(&status.numbers, now)),
        card("Holds: what may not pass, and until when", &holds(&status.holds, now)),
        format!(
            "<div class=\"two\">{}{}{}{}</div>",
            card("Waiting, by reason", &counts(&status.waiting, "nothing waits")),
            card("In this worker's hands", &lanes(&status.lanes, now)),
            card("Jobs, by state", &counts(&status.jobs, "no jobs yet")),
            card("Ledger", &ledger(status)),
        ),
    ];
    let (version, up) = (Escaped(status.version), span(now.since(status.started_at)));
    format!(
        "{title}<style>{STYLE}</style></head><body><main>\
         <header><h1>Tidegate</h1><p>version {version}, up {up}</p></header>{}\
         <footer><span>As of {}.</span><a href=\"/metrics\">metrics</a><a href=\"/status.json\">this page as JSON</a>\
         <a href=\"/readyz\">readiness</a><span>Why one message has not gone out: <code>tidegate show JOB</code></span>\
         </footer></main></body></html>\n",
        parts.concat(),
        status.at,
    )
}

/// The answer first: is it well, and if not, what is wrong.
fn verdict(status: &StatusSnapshot, silence: Option<Duration>, now: Timestamp) -> String {
    let mut wrong: Vec<String> = status
        .parts
        .iter()
        .filter_map(|part| Some(format!("{}: {}", Escaped(part.name), Escaped(part.problem.as_ref()?))))
        .collect();
    let age = now.since(status.at);
    if let Some(silence) = silence {
        wrong.push(format!("worker: its loop has not turned for {}", span(silence)));
    } else if age > STALE {
        wrong.push(format!("worker: it has said nothing for {}; what stands below may be out of date", span(age)));
    }
    if !wrong.is_empty() {
        return format!("<div class=\"verdict bad\">Not ready<ul><li>{}</li></ul></div>", wrong.join("</li><li>"));
    }
    let able = status.numbers.iter().filter(|number| number.blocked.is_none()).count();
    let all = status.numbers.len();
    let (class, words) = match (able, all) {
        (_, 0) => ("warn", "Ready, but it has no numbers to send by".to_owned()),
        (0, _) => ("bad", "Ready, but no number may send: see below why".to_owned()),
        (able, all) if able < all => ("warn", format!("Ready, and {able} of {all} numbers may send")),
        _ => ("good", "Ready, and every number may send".to_owned()),
    };
    let at_limit = status.holds.iter().filter(|hold| hold.scope == Scope::Quota);
    let at_limit: Vec<String> = at_limit.map(|hold| Escaped(&hold.subject).to_string()).collect();
    if at_limit.is_empty() {
        return format!("<div class=\"verdict {class}\">{words}</div>");
    }
    let class = if class == "good" { "warn" } else { class };
    let limits = format!("messaging limit reached, new people wait for places: portfolio {}", at_limit.join(", "));
    format!("<div class=\"verdict {class}\">{words}<ul><li>{limits}</li></ul></div>")
}

fn tiles(status: &StatusSnapshot) -> String {
    // Not `sum`: that of nothing is -0.
    let total = |rates: &mut dyn Iterator<Item = f64>| rates.fold(0.0, |sum, rate| sum + rate);
    let rate = total(&mut status.numbers.iter().map(|number| number.rate));
    let may_send = status.numbers.iter().filter(|number| number.blocked.is_none());
    let limit = total(&mut may_send.map(|number| number.rate_limit));
    let in_flight: u64 = status.numbers.iter().map(|number| number.in_flight).sum();
    let jobs = |states: &[State]| states.iter().filter_map(|state| status.jobs.get(state)).sum();
    let taken = jobs(&[State::Accepted, State::Sent, State::Delivered, State::Read]);
    let mut html = String::from("<div class=\"tiles\">");
    let mut tile = |value: String, words: &str, class: &str| {
        html.push_str(&format!("<div><b class=\"{class}\">{value}</b><span>{words}</span></div>"));
    };
    tile(format!("{rate:.0}/s"), &format!("sent now, of {limit:.0}/s allowed"), "");
    tile(grouped(in_flight), "awaiting Meta's answer", "");
    tile(grouped(jobs(&[State::Queued, State::Waiting])), "still to send", "");
    tile(grouped(taken), "taken by Meta", "");
    let failed = jobs(&[State::Failed, State::Expired]);
    tile(grouped(failed), "failed or expired", if failed > 0 { "bad" } else { "" });
    let unknown = jobs(&[State::Unknown, State::Unresolved]);
    tile(grouped(unknown), "perhaps sent, not known", if unknown > 0 { "warn" } else { "" });
    html + "</div>"
}

fn card(title: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2>{body}</section>")
}

/// A table, or words where there is nothing to list. A head that ends in `>` is of a column of figures.
fn table(heads: &[&str], rows: &[String], otherwise: &str) -> String {
    if rows.is_empty() {
        return format!("<p class=\"none\">{otherwise}</p>");
    }
    let mut html = String::from("<table><tr>");
    for head in heads {
        match head.strip_suffix('>') {
            Some(head) => html.push_str(&format!("<th class=\"n\">{head}</th>")),
            None => html.push_str(&format!("<th>{head}</th>")),
        }
    }
    format!("{html}</tr><tr>{}</tr></table>", rows.join("</tr><tr>"))
}

fn numbers(numbers: &[NumberStatus], now: Timestamp) -> String {
    let row = |number: &NumberStatus| {
        let (quality, class) = match number.quality {
            Rating::Green => ("high", "good"),
            Rating::Yellow => ("medium", "warn"),
            Rating::Red => ("low", "bad"),
            Rating::Unknown => ("not rated", ""),
        };
        let share = (100.0 * number.rate / number.rate_limit.max(0.001)).clamp(0.0, 100.0);
        let mut may = match (number.blocked, number.blocked_until) {
            (None, _) => "<span class=\"good\">yes</span>".to_owned(),
            (Some(reason), None) => format!("<span class=\"bad\">no: {}</span>", spaced(reason.as_str())),
            (Some(reason), Some(until)) => {
                format!(
                    "<span class=\"bad\">no: {}</span>, tries again {}",
                    spaced(reason.as_str()),
                    relative(until, now)
                )
            }
        };
        if !number.status.is_empty() && number.status != "CONNECTED" {
            let _ = write!(may, " <span class=\"pill warn\">{}</span>", Escaped(&number.status));
        }
        format!(
            "<td class=\"name\">{}<br><span class=\"soft\">pool {}</span></td><td><span class=\"pill {class}\">{quality}</span></td>\
             <td>{may}</td><td class=\"n\">{:.1} of {:.0}/s<div class=\"bar\"><i style=\"width:{share:.0}%\"></i></div><span class=\"soft\">{}</span></td>\
             <td class=\"n\">{:.0}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            Escaped(&number.display),
            Escaped(&number.pool),
            number.rate,
            number.rate_limit,
            spaced(number.why.as_str()),
            number.tokens,
            grouped(number.admitted),
            grouped(number.in_flight),
        )
    };
    let heads = ["number", "quality", "may send", "sends now, and what binds>", "permits>", "admitted>", "in flight>"];
    table(&heads, &numbers.iter().map(row).collect::<Vec<_>>(), "it knows no number yet")
}

fn lanes(lanes: &[LaneStatus], now: Timestamp) -> String {
    let row = |lane: &LaneStatus| {
        let oldest = lane.oldest.map_or_else(String::new, |at| relative(at, now));
        let (pool, in_hand) = (Escaped(&lane.pool), grouped(lane.in_hand));
        format!("<td>{pool}</td><td>{}</td><td class=\"n\">{in_hand}</td><td class=\"n\">{oldest}</td>", lane.priority)
    };
    let rows: Vec<String> = lanes.iter().filter(|lane| lane.in_hand > 0).map(row).collect();
    table(&["pool", "priority", "jobs>", "oldest published>"], &rows, "nothing in hand")
}

fn holds(holds: &[HoldStatus], now: Timestamp) -> String {
    let row = |hold: &HoldStatus| {
        let effect = match hold.effect {
            Effect::Wait => "jobs wait",
            Effect::End => "jobs end, unsent",
        };
        let without_end = if hold.scope == Scope::Quota { "as places fall free" } else { "until lifted" };
        let until = hold.until.map_or_else(|| without_end.to_owned(), |until| relative(until, now));
        format!(
            "<td>{}</td><td>{} {}</td><td>{}</td><td>{effect}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{until}</td>",
            hold.id,
            hold.scope,
            Escaped(&hold.subject),
            spaced(hold.reason.as_str()),
            Escaped(&hold.who),
            relative(hold.since, now),
        )
    };
    let heads = ["hold", "covers", "reason", "effect", "placed by", "since>", "ends>"];
    table(&heads, &holds.iter().map(row).collect::<Vec<_>>(), "none: everything may pass")
}

fn counts<'a, K: std::fmt::Display + 'a>(
    counts: impl IntoIterator<Item = (&'a K, &'a u64)>,
    otherwise: &str,
) -> String {
    let some = counts.into_iter().filter(|(_, count)| **count > 0);
    let row = |(word, count): (&K, &u64)| {
        format!("<td>{}</td><td class=\"n\">{}</td>", Escaped(spaced(&word.to_string())), grouped(*count))
    };
    table(&["", "jobs>"], &some.map(row).collect::<Vec<_>>(), otherwise)
}

fn ledger(status: &StatusSnapshot) -> String {
    let ledger = &status.ledger;
    let up = if ledger.up { "<span class=\"good\">yes</span>" } else { "<span class=\"bad\">no</span>" };
    let rows = [
        format!("<td>answers</td><td class=\"n\">{up}</td>"),
        format!("<td>a commit takes</td><td class=\"n\">{:.1} ms</td>", ledger.commit_ms),
        format!("<td>calls that wait for a commit</td><td class=\"n\">{}</td>", grouped(ledger.backlog)),
        format!("<td>dead jobs to look at</td><td class=\"n\">{}</td>", grouped(status.dead)),
        format!("<td>kept in</td><td class=\"path\"><code>{}</code></td>", Escaped(&ledger.url)),
    ];
    format!("<table><tr>{}</tr></table>", rows.join("</tr><tr>"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::PartStatus;
    use crate::ops::status::tests::busy;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn it_shows_what_goes_out_and_why_the_rest_does_not() {
        let page = render(&busy(NOW), None, NOW);
        for words in [
            "Ready, and 2 of 3 numbers may send",
            "up 2 h 13 min",
            "<b class=\"\">118/s</b><span>sent now, of 160/s allowed",
            "no: failing</span>, tries again in 24 s <span class=\"pill warn\">FLAGGED",
            "<span class=\"soft\">level</span>",
            "not before</td><td class=\"n\">1,000,000",
            "campaign spring",
            "5 min 0 s ago",
            "0.8 ms",
        ] {
            assert!(page.contains(words), "«{words}» is missing in\n{page}");
        }
    }

    #[test]
    fn a_portfolio_at_its_limit_is_told_of_at_the_top() {
        let mut status = busy(NOW);
        for number in &mut status.numbers {
            number.blocked = None;
        }
        let page = render(&status, None, NOW);
        assert!(page.contains("<div class=\"verdict good\">Ready, and every number may send</div>"), "{page}");
        let limit =
            HoldStatus { scope: Scope::Quota, subject: "700".to_owned(), until: None, ..status.holds[0].clone() };
        status.holds.push(limit);
        let page = render(&status, None, NOW);
        let words = "verdict warn\">Ready, and every number may send<ul><li>messaging limit reached, new people wait for \
                     places: portfolio 700</li></ul>";
        assert!(page.contains(words) && page.contains("as places fall free"), "{page}");
    }

    #[test]
    fn no_recipient_and_no_markup_of_others_gets_in() {
        let mut status = busy(NOW);
        status.numbers[0].display = "<b>\"shop\"</b>".to_owned();
        status.parts = vec![PartStatus::broken("ledger", "disk <full>")];
        let page = render(&status, None, NOW);
        assert!(page.contains("&lt;b&gt;&quot;shop&quot;&lt;/b&gt;") && page.contains("cli:&lt;anna&gt;"));
        assert!(page.contains("Not ready<ul><li>ledger: disk &lt;full&gt;"));
        assert!(page.contains("recipient …23") && !page.contains("77009001"));
    }

    #[test]
    fn a_worker_that_fell_silent_is_the_first_thing_said() {
        let status = busy(NOW);
        let late = render(&status, None, NOW + Duration::from_secs(60));
        assert!(late.contains("it has said nothing for 1 min 0 s"), "{late}");
        let hangs = render(&status, Some(Duration::from_secs(12)), NOW);
        assert!(hangs.contains("Not ready<ul><li>worker: its loop has not turned for 12 s"), "{hangs}");
    }

    #[test]
    fn an_empty_worker_has_words_for_it() {
        let page = render(&StatusSnapshot::starting(NOW), None, NOW);
        for words in [
            "<b class=\"\">0/s</b>",
            "start: still starting",
            "it knows no number yet",
            "none: everything may pass",
            "nothing waits",
        ] {
            assert!(page.contains(words), "«{words}» is missing in\n{page}");
        }
    }
}
