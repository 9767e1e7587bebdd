//! One look at a running demo, and how it is drawn: on a terminal as a block of lines, elsewhere as one. Pure.

use std::time::Duration;

use super::figures::{Spread, bar, brief, history, percent};
use super::grid::{Side, columns, indented};
use super::optout::OptOut;
use super::statuses::Statuses;
use super::summary::quality_ink;
use super::text::{Ink, Line};
use crate::cli::wording::{Count, masked};
use crate::sim::Quality;

/// Where the demo is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The campaign is going out.
    Sending,
    /// The campaign is out; retries and unknown outcomes are left.
    Settling,
    /// Somebody has asked it to stop.
    Stopping,
}

/// What there is to see at one moment.
#[derive(Clone, Debug)]
pub struct Glimpse {
    /// Where the demo is.
    pub phase: Phase,
    /// Since the worker's start.
    pub elapsed: Duration,
    /// Messages of the campaign that have left or are over.
    pub done: u64,
    /// All of them.
    pub total: u64,
    /// How long the rest takes at the rate of now.
    pub remaining: Option<Duration>,
    /// Each sending number.
    pub numbers: Vec<NumberGlimpse>,
    /// How long one-time passwords took.
    pub passwords: Passwords,
    /// Requests that Meta did not take.
    pub refused: u64,
    /// Jobs that wait to go again.
    pub waiting: u64,
    /// Jobs of which nobody knows whether they were sent.
    pub unknown: u64,
    /// Jobs that will not go out.
    pub failed: u64,
    /// Jobs that have not ended.
    pub open: u64,
    /// How far messages have come, as webhooks told.
    pub statuses: Statuses,
    /// Who wrote STOP, if anybody has.
    pub opt_out: Option<OptOut>,
}

/// One sending number.
#[derive(Clone, Debug)]
pub struct NumberGlimpse {
    /// As people know it.
    pub display: &'static str,
    /// Meta's rating.
    pub quality: Quality,
    /// Messages a second, at most.
    pub limit: u32,
    /// Messages in the last second.
    pub rate: usize,
    /// Messages that Meta took.
    pub accepted: u64,
    /// Its rate over time.
    pub history: Vec<f64>,
    /// How much longer it is rested.
    pub rests_for: Option<Duration>,
}

/// How long one-time passwords took from being handed in until they were at Meta.
#[derive(Clone, Copy, Debug)]
pub struct Passwords {
    /// The last one.
    pub last: Option<Duration>,
    /// All of them.
    pub spread: Option<Spread>,
}

/// The block of lines for a terminal of so many columns.
pub fn drawn(glimpse: &Glimpse, width: usize) -> Vec<Line> {
    let inner = width.saturating_sub(2);
    let mut lines = vec![campaign(glimpse, inner), Line::new()];
    lines.extend(numbers(glimpse, inner));
    lines.push(Line::new());
    lines.extend(facts(glimpse, inner));
    indented(lines, 1)
}

fn campaign(glimpse: &Glimpse, width: usize) -> Line {
    let name = Line::of(Ink::Strong, "Campaign").with(Ink::Plain, "  ");
    let count = format!("  {} of {}", Count(glimpse.done), Count(glimpse.total));
    let share = format!("{:>6}", percent(glimpse.done, glimpse.total));
    let time = match (glimpse.phase, glimpse.remaining) {
        (Phase::Sending, Some(left)) => format!("{:>3} s left", left.as_secs_f64().ceil()),
        (Phase::Sending, None) => "starting".to_owned(),
        (Phase::Settling, _) => "out".to_owned(),
        (Phase::Stopping, _) => "stopping".to_owned(),
    };
    let tail = Line::of(Ink::Strong, count).with(Ink::Plain, share).with(Ink::Faint, format!("  {time:<10}"));
    let room = width.saturating_sub(name.width() + tail.width());
    let share = if glimpse.total == 0 { 0.0 } else { glimpse.done as f64 / glimpse.total as f64 };
    let filled = (share * room as f64).round() as usize;
    let gone = Line::of(Ink::Accent, "━".repeat(filled)).with(Ink::Faint, "─".repeat(room - filled));
    name.then(gone).then(tail).clipped(width)
}

/// Columns of the bar that shows a number's rate.
const BAR: usize = 14;
/// Columns of everything in a number's line but its history.
const BESIDE_HISTORY: usize = 74;
/// Above the history, which is not shown in fewer columns.
const OVER_TIME: &str = "RATE OVER TIME";

fn numbers(glimpse: &Glimpse, width: usize) -> Vec<Line> {
    let points = width.saturating_sub(BESIDE_HISTORY + 2).min(100);
    let sides = [Side::Left, Side::Left, Side::Left, Side::Right, Side::Right, Side::Left, Side::Left];
    let faint = |text: &str| Line::of(Ink::Faint, text);
    let over_time = if points < OVER_TIME.len() { "" } else { OVER_TIME };
    let mut rows = vec![vec![
        faint("NUMBER"),
        faint("QUALITY"),
        faint("RATE OF LIMIT"),
        faint(""),
        faint("TAKEN"),
        faint("NOW"),
        faint(over_time),
    ]];
    rows.extend(glimpse.numbers.iter().map(|number| {
        let share = number.rate as f64 / f64::from(number.limit);
        let (filled, blank) = bar(share, BAR);
        let ink = if number.rests_for.is_some() { Ink::Faint } else { Ink::Accent };
        let shown = if points < OVER_TIME.len() {
            String::new()
        } else {
            history(&number.history, f64::from(number.limit), points)
        };
        vec![
            Line::plain(number.display),
            Line::of(quality_ink(number.quality), number.quality.word()),
            Line::of(ink, filled).with(Ink::Faint, blank),
            Line::of(Ink::Strong, format!("{}/s", number.rate)).with(Ink::Faint, format!(" of {:>2}", number.limit)),
            Line::plain(Count(number.accepted).to_string()),
            state(number).padded(12),
            Line::of(Ink::Accent, shown),
        ]
    }));
    columns(&sides, &rows, width)
}

fn state(number: &NumberGlimpse) -> Line {
    match number.rests_for {
        Some(rest) => Line::of(Ink::Warn, format!("rests {} s", rest.as_secs() + 1)),
        None if number.rate > 0 => Line::of(Ink::Good, "sends"),
        None => Line::of(Ink::Faint, "idle"),
    }
}

fn facts(glimpse: &Glimpse, width: usize) -> Vec<Line> {
    let mut passwords = Line::of(Ink::Strong, "One-time passwords").with(Ink::Plain, "  ");
    passwords = match (glimpse.passwords.last, glimpse.passwords.spread) {
        (Some(last), Some(spread)) => passwords
            .with(Ink::Plain, format!("{} at Meta", Count(spread.count as u64)))
            .with(Ink::Faint, " · last ")
            .with(Ink::Accent, brief(last))
            .with(Ink::Faint, " · half in ")
            .with(Ink::Accent, brief(spread.median))
            .with(Ink::Faint, " · all in ")
            .with(Ink::Accent, brief(spread.longest)),
        (None, _) | (_, None) => passwords.with(Ink::Faint, "none yet"),
    };
    let one = |ink: Ink, count: u64, words: &str| {
        let ink = if count == 0 { Ink::Faint } else { ink };
        Line::of(ink, Count(count).to_string()).with(Ink::Faint, format!(" {words}"))
    };
    let dot = || Line::of(Ink::Faint, " · ");
    let trouble = Line::of(Ink::Strong, "Trouble").with(Ink::Plain, "             ");
    let trouble = trouble
        .then(one(Ink::Plain, glimpse.refused, "refused"))
        .then(dot())
        .then(one(Ink::Warn, glimpse.waiting, "to retry"))
        .then(dot())
        .then(one(Ink::Warn, glimpse.unknown, "unknown"))
        .then(dot())
        .then(one(Ink::Plain, glimpse.failed, "given up"));
    let Statuses { sent, delivered, read } = glimpse.statuses;
    let statuses = Line::of(Ink::Strong, "Statuses").with(Ink::Plain, "            ");
    let statuses = statuses
        .then(one(Ink::Plain, sent, "sent"))
        .then(dot())
        .then(one(Ink::Good, delivered, "delivered"))
        .then(dot())
        .then(one(Ink::Good, read, "read"));
    let opt_out = Line::of(Ink::Strong, "Opt-out").with(Ink::Plain, "             ").then(opt_out(glimpse));
    vec![passwords.clipped(width), statuses.clipped(width), opt_out.clipped(width), trouble.clipped(width)]
}

fn opt_out(glimpse: &Glimpse) -> Line {
    let Some(opt_out) = &glimpse.opt_out else { return Line::of(Ink::Faint, "none yet") };
    let wrote = Line::plain(format!("{} wrote STOP", masked(&opt_out.recipient)));
    match (opt_out.ended, opt_out.password) {
        (Some(state), _) => wrote.with(Ink::Plain, format!("; their queued message ended as {state}")),
        (None, Some(_)) => wrote.with(Ink::Faint, ", noted; their message is still in line"),
        (None, None) => wrote.with(Ink::Faint, format!(" with {} messages still in line", Count(opt_out.in_line))),
    }
}

/// One line for a pipe or a file.
pub fn told(glimpse: &Glimpse) -> String {
    let rates: Vec<String> = glimpse.numbers.iter().map(|number| format!("{}/{}", number.rate, number.limit)).collect();
    let passwords = match glimpse.passwords.spread {
        Some(spread) => format!("{} one-time passwords, half in {}", spread.count, brief(spread.median)),
        None => "no one-time password yet".to_owned(),
    };
    let end = match glimpse.phase {
        Phase::Sending => String::new(),
        Phase::Settling | Phase::Stopping => format!("; {} not ended yet", Count(glimpse.open)),
    };
    let Statuses { delivered, read, .. } = glimpse.statuses;
    let told = format!("{} delivered, {} read", Count(delivered), Count(read));
    format!(
        "{:>3} s  {} of {} messages ({}); now {} per second; {told}; {passwords}{end}",
        glimpse.elapsed.as_secs(),
        Count(glimpse.done),
        Count(glimpse.total),
        percent(glimpse.done, glimpse.total),
        rates.join(" + "),
    )
}

#[cfg(test)]
mod tests {
    use super::super::samples::shown;
    use super::super::stage::CAST;
    use super::*;
    use crate::job::JobKey;
    use crate::outcome::State;

    fn glimpse(phase: Phase) -> Glimpse {
        let number = |player: &super::super::stage::Player| NumberGlimpse {
            display: player.display,
            quality: player.quality,
            limit: player.limit,
            rate: player.limit as usize,
            accepted: 12_345,
            history: vec![f64::from(player.limit); 300],
            rests_for: (player.limit == 20).then_some(Duration::from_millis(29_100)),
        };
        let spread = Spread::of(vec![Duration::from_millis(9), Duration::from_millis(18)]);
        Glimpse {
            phase,
            elapsed: Duration::from_millis(12_300),
            done: 3_120,
            total: 5_000,
            remaining: Some(Duration::from_millis(11_400)),
            numbers: CAST.iter().map(number).collect(),
            passwords: Passwords { last: Some(Duration::from_millis(9)), spread },
            refused: 1_061,
            waiting: 12,
            unknown: 3,
            failed: 40,
            open: 1_880,
            statuses: Statuses { sent: 3_050, delivered: 2_910, read: 1_480 },
            opt_out: Some(OptOut {
                recipient: "+12015550199".to_owned(),
                message: JobKey::from_bytes([9; 16]),
                said_ns: 0,
                in_line: 4_000,
                password: None,
                ended: None,
            }),
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for phase in [Phase::Sending, Phase::Settling, Phase::Stopping] {
            for width in 30..=240 {
                for line in drawn(&glimpse(phase), width) {
                    assert!(line.width() <= width, "{width}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn at_eighty_columns_nothing_is_cut() {
        let shown = shown(&drawn(&glimpse(Phase::Sending), 79));
        assert!(!shown.lines().any(|line| line.ends_with('…')), "{shown}");
        assert!(shown.contains("3,120 of 5,000  62 %   12 s left"), "{shown}");
        assert!(shown.contains("20/s of 20") && shown.contains("rests 30 s"), "{shown}");
        assert!(shown.contains("3,050 sent · 2,910 delivered · 1,480 read"), "{shown}");
    }

    #[test]
    fn a_stop_is_followed_to_its_end() {
        let mut glimpse = glimpse(Phase::Sending);
        let mut line = |change: fn(&mut OptOut)| {
            glimpse.opt_out.as_mut().map(change);
            shown(&[opt_out(&glimpse)])
        };
        assert_eq!(line(|_| {}), "…99 wrote STOP with 4,000 messages still in line\n");
        let noted = line(|opt_out| opt_out.password = Some(JobKey::from_bytes([8; 16])));
        assert_eq!(noted, "…99 wrote STOP, noted; their message is still in line\n");
        let ended = line(|opt_out| opt_out.ended = Some(State::Suppressed));
        assert_eq!(ended, "…99 wrote STOP; their queued message ended as suppressed\n");
    }

    #[test]
    fn a_wide_terminal_shows_the_rate_over_time() {
        assert!(!shown(&drawn(&glimpse(Phase::Sending), 80)).contains("RATE OVER TIME"));
        assert!(shown(&drawn(&glimpse(Phase::Sending), 120)).contains("RATE OVER TIME"));
    }

    #[test]
    fn a_pipe_gets_one_line() {
        let line = told(&glimpse(Phase::Settling));
        assert_eq!(
            line,
            " 12 s  3,120 of 5,000 messages (62 %); now 80/80 + 80/80 + 20/20 per second; \
             2,910 delivered, 1,480 read; 2 one-time passwords, half in 9.0 ms; 1,880 not ended yet"
        );
    }
}
