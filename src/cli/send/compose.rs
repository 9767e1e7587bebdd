//! One job from flags: written as a producer would write it, so that one parser checks both.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::args::{self, Moment};
use crate::clock::Timestamp;
use crate::job::{Campaign, Category, From, JobId, Priority, Recipient, Source};

/// A job, flag by flag.
#[derive(Args, Debug)]
pub struct Flags {
    /// The recipient: a phone number with its country's code, or Meta's user id of them
    #[arg(long, value_name = "RECIPIENT", required_unless_present_any = ["json", "file"], conflicts_with_all = ["json", "file"])]
    to: Option<Recipient>,
    /// The template's language, as in en_US
    #[arg(long, requires = "template", value_name = "CODE")]
    language: Option<String>,
    /// A value for the template's body, in order; may stand several times
    #[arg(long, requires = "template", value_name = "TEXT")]
    param: Vec<String>,
    /// The job's id: handed in again, it is the same job (default: a new one)
    #[arg(long, conflicts_with_all = ["json", "file"])]
    id: Option<JobId>,
    /// The producer's name
    #[arg(long, conflicts_with_all = ["json", "file"])]
    source: Option<Source>,
    /// Who sends: a pool, Meta's id of a number, or a display number
    #[arg(long, conflicts_with_all = ["json", "file"])]
    from: Option<From>,
    /// How soon it goes among others
    #[arg(long, conflicts_with_all = ["json", "file"], value_parser = args::word(Priority::ALL, Priority::as_str))]
    priority: Option<Priority>,
    /// What Meta charges for
    #[arg(long, conflicts_with_all = ["json", "file"], value_parser = args::word(Category::ALL, Category::as_str))]
    category: Option<Category>,
    /// The campaign it belongs to
    #[arg(long, conflicts_with_all = ["json", "file"])]
    campaign: Option<Campaign>,
    /// How long it is worth sending, as in 5m
    #[arg(long, conflicts_with_all = ["json", "file"], value_name = "LENGTH", value_parser = ttl)]
    ttl: Option<String>,
    /// Not to be sent before: a length of time ("10m") or a moment
    #[arg(long, conflicts_with_all = ["json", "file"], value_name = "WHEN")]
    not_before: Option<Moment>,
}

/// Kept as it was written: the job's own parser reads it again.
fn ttl(text: &str) -> Result<String, String> {
    args::length(text).map(|_| text.to_owned())
}

/// What is sent.
pub enum Content {
    /// Free-form text.
    Text(String),
    /// A template by its name.
    Template(String),
}

impl Flags {
    /// The job as JSON.
    pub fn compose(self, content: Content, now: Timestamp) -> Vec<u8> {
        let mut job = Map::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                job.insert(name.to_owned(), Value::String(value));
            }
        };
        put("id", self.id.map(|id| id.to_string()));
        put("source", self.source.map(|source| source.to_string()));
        put("from", self.from.map(written));
        put("priority", self.priority.map(|priority| priority.to_string()));
        put("to", self.to.map(|to| to.expose().to_owned()));
        put("category", self.category.map(|category| category.to_string()));
        put("campaign", self.campaign.map(|campaign| campaign.to_string()));
        put("ttl", self.ttl);
        put("not_before", self.not_before.map(|moment| moment.seen_from(now).to_string()));
        job.insert("message".to_owned(), message(content, self.language, self.param));
        serde_json::to_vec(&job).expect("JSON of texts can be written")
    }
}

fn message(content: Content, language: Option<String>, params: Vec<String>) -> Value {
    match content {
        Content::Text(body) => json!({"type": "text", "text": {"body": body}}),
        Content::Template(name) => {
            let mut template = json!({"name": name, "language": {"code": language}});
            if !params.is_empty() {
                let params: Vec<_> = params.into_iter().map(|text| json!({"type": "text", "text": text})).collect();
                template["components"] = json!([{"type": "body", "parameters": params}]);
            }
            json!({"type": "template", "template": template})
        }
    }
}

fn written(from: From) -> String {
    match from {
        From::Pool(pool) => pool.to_string(),
        From::Number(number) => number.to_string(),
        From::Display(digits) => format!("+{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
        #[arg(long)]
        template: Option<String>,
        #[arg(long)]
        json: Option<String>,
        #[arg(long)]
        file: Option<String>,
    }

    fn composed(line: &str, content: Content) -> Value {
        let line = Line::try_parse_from(line.split(' ')).expect("valid");
        serde_json::from_slice(&line.flags.compose(content, Timestamp::from_millis(0))).expect("JSON")
    }

    #[test]
    fn flags_become_a_job_as_a_producer_would_write_it() {
        let line = "send --to 44-7700-900123 --from +15550100001 --priority urgent --ttl 5m --not-before 10s --id a";
        assert_eq!(
            composed(line, Content::Text("hi".into())),
            json!({"id": "a", "to": "+447700900123", "from": "+15550100001", "priority": "urgent", "ttl": "5m",
                   "not_before": "1970-01-01T00:00:10.000Z", "message": {"type": "text", "text": {"body": "hi"}}})
        );
        let line = "send --to +447700900123 --template t --language en_US --param Anna --param 17";
        assert_eq!(
            composed(line, Content::Template("t".into()))["message"],
            json!({"type": "template", "template": {"name": "t", "language": {"code": "en_US"}, "components": [
                {"type": "body", "parameters": [{"type": "text", "text": "Anna"}, {"type": "text", "text": "17"}]}]}})
        );
    }
}
