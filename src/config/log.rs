//! What is logged, and in which form.

use tracing_subscriber::EnvFilter;

use super::reader::{Reader, Told};

/// Group `log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// For machines or for people.
    pub format: LogFormat,
    /// As `info,tidegate::worker=debug`; checked to be a filter.
    pub filter: String,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl LogConfig {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        let words = [("auto", LogFormat::Auto), ("json", LogFormat::Json), ("text", LogFormat::Text)];
        let format = reader.word("log.format", &words);
        let filter = reader.read("log.filter", filter);
        Ok(Self { format: format?, filter: filter? })
    }
}

fn filter(text: &str) -> Result<String, String> {
    let allowed = "a filter looks like \"info\" or \"info,tidegate::worker=debug\"";
    if text.trim().is_empty() {
        return Err(allowed.to_owned());
    }
    EnvFilter::builder().parse(text).map(|_| text.to_owned()).map_err(|_| allowed.to_owned())
}
