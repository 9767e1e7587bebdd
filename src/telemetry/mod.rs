//! Logs: lines of JSON or text on the standard error, that never make the program wait for whoever reads them.
//!
//! Fields of a JSON line: `timestamp`, `level`, `message`, `target`, and each of the event's own beside them.
//! What must not be logged is kept out by types: secrets and recipients have no `Display` to log by.

mod lines;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tracing::Dispatch;
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

pub use lines::DroppedLines;
use lines::{Lines, Writer};

/// What waits for a slow reader; past it lines are dropped, and counted. Some 4,000 lines.
const MOST_WAITING: usize = 1 << 20;
/// How long the end waits for a reader that may be stuck.
const PATIENCE: Duration = Duration::from_secs(2);

/// Dropping it, as the last thing, writes out what waits.
#[must_use = "logs are written only as long as this lives"]
pub struct Guard {
    writer: Writer,
    lines: Lines,
}

impl Guard {
    /// How many lines were lost because nobody read them in time.
    pub fn dropped_lines(&self) -> u64 {
        self.dropped().count()
    }

    /// The same count, to keep where metrics are read.
    pub fn dropped(&self) -> DroppedLines {
        self.lines.dropped()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.writer.end(&self.lines, PATIENCE);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Text { colours: bool },
}

/// Logs to the standard error from now on, for the whole process; the first call in a process counts.
pub fn init(config: &LogConfig) -> Guard {
    let is_terminal = std::io::stderr().is_terminal();
    let colours = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let form = match config.format {
        LogFormat::Json => Form::Json,
        LogFormat::Text => Form::Text { colours },
        LogFormat::Auto if is_terminal => Form::Text { colours },
        LogFormat::Auto => Form::Json,
    };
    let (dispatch, guard) = start(form, &config.filter, std::io::stderr());
    // Fails in a process that has a subscriber already, as tests do; that one then stays.
    let _ = tracing::dispatcher::set_global_default(dispatch);
    guard
}

fn start(form: Form, filter: &str, output: impl Write + Send + 'static) -> (Dispatch, Guard) {
    let lines = Lines::new(MOST_WAITING);
    let writer = Writer::start(lines.clone(), output);
    // lapin tells every refusal as an error, also those that are answers to our questions; what matters we tell.
    let filter = format!("lapin=off,{filter}");
    let filter = EnvFilter::builder().parse(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines.clone())
        // It would print by itself, and so wait for the reader.
        .log_internal_errors(false);
    let dispatch = match form {
        Form::Text { colours } => Dispatch::new(builder.with_ansi(colours).finish()),
        Form::Json => {
            let builder = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Dispatch::new(builder.finish())
        }
    };
    (dispatch, Guard { writer, lines })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, info};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(form: Form) -> String {
        let page = Page::default();
        let (dispatch, guard) = start(form, "info", page.clone());
        tracing::dispatcher::with_default(&dispatch, || {
            info!(job.id = "order-17", number.id = %"106", attempt = 2, "sent job order-17");
            debug!("not of this level");
        });
        drop(guard);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_has_stable_names_and_the_events_own_fields_beside_them() {
        let text = logged(Form::Json);
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut names: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["attempt", "job.id", "level", "message", "number.id", "target", "timestamp"]);
        assert_eq!(line["message"], "sent job order-17");
        assert_eq!((&line["level"], &line["attempt"]), (&"INFO".into(), &2.into()));
    }

    #[test]
    fn a_text_line_can_be_read_alone() {
        let text = logged(Form::Text { colours: false });
        assert!(text.contains("INFO") && text.contains("sent job order-17 job.id=\"order-17\""), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
