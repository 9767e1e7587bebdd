//! Templates as far as Meta told of them: what each is charged as, and what a message must bring for it. Pure.
//!
//! Nothing is ever held against a message whose template is not known, or not understood; nor is anything because of
//! what was read long ago: the template may be another since, and no webhook may have told of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::needs::Needs;
use super::{Category, Message, TemplateRef};
use crate::clock::Timestamp;
use crate::outcome::Reason;

/// A reading that is older is asked for again before anything is held against a message.
const RECENT: Duration = Duration::from_secs(60);

/// The templates that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// By name, and language as it is compared.
    templates: HashMap<TemplateRef, Entry>,
    /// Names of which every language is known, by account.
    names: BTreeMap<String, BTreeSet<String>>,
    /// When each account's were read last, where that is known.
    readings: BTreeMap<String, Timestamp>,
}

/// What is known of one template: it may be several accounts', in a form of its own in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What it is charged as.
    pub category: Option<Category>,
    /// What it needs, by account; none for those of which only webhooks told.
    pub needs: BTreeMap<String, Needs>,
}

/// Whether a message has what its template needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It has, or nobody can say.
    Fits,
    /// It has not, by what was just read.
    Unfit(Unfit),
    /// By what was read too long ago it has not: these accounts, read at these moments, are to be read again.
    AskAgain(Vec<(String, Timestamp)>),
}

/// Why Meta is sure to refuse a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// What Meta's refusal would mean.
    pub reason: Reason,
    /// Where.
    pub field: String,
    /// What is wrong, without the message's own words.
    pub problem: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl Catalogue {
    /// Adds what is known of a template.
    pub fn add(&mut self, template: &TemplateRef, entry: Entry) {
        for waba in entry.needs.keys() {
            self.names.entry(waba.clone()).or_default().insert(template.name.clone());
        }
        self.templates.insert(plain(template), entry);
    }

    /// Notes when what is known of this account's templates was asked for.
    pub fn note_reading(&mut self, waba: &str, at: Timestamp) {
        self.readings.insert(waba.to_owned(), at);
    }

    /// What a template is charged as, if that is known.
    pub fn category_of(&self, template: &TemplateRef) -> Option<Category> {
        self.templates.get(&plain(template))?.category
    }

    /// Whether a message has what its template needs in this account; `waba` is empty where nobody knows it.
    pub fn check(&self, message: &Message, waba: &str, now: Timestamp) -> Fit {
        let Some(template) = &message.template else { return Fit::Fits };
        if self.templates.is_empty() {
            return Fit::Fits;
        }
        let entry = self.templates.get(&plain(template));
        let checked = match entry {
            Some(entry) => check_form(entry, message, waba),
            None => self.check_language(template, waba),
        };
        let Err(unfit) = checked else { return Fit::Fits };
        // Where nobody knows the account, all who have the template spoke against it.
        let all = entry.filter(|_| waba.is_empty()).into_iter().flat_map(|entry| entry.needs.keys());
        let readings = all.map(String::as_str).chain(Some(waba).filter(|waba| !waba.is_empty()));
        let readings = readings.map(|waba| (waba.to_owned(), self.readings.get(waba).copied().unwrap_or_default()));
        let old: Vec<_> = readings.filter(|(_, read_at)| !is_recent(*read_at, now)).collect();
        if old.is_empty() { Fit::Unfit(unfit) } else { Fit::AskAgain(old) }
    }

    fn check_language(&self, template: &TemplateRef, waba: &str) -> Result<(), Unfit> {
        let is_known = self.names.get(waba).is_some_and(|names| names.contains(&template.name));
        if !is_known {
            return Ok(());
        }
        Err(Unfit {
            reason: Reason::TemplateMissing,
            field: "message.template.language".to_owned(),
            problem: format!("template {} is not there in {}", template.name, template.language),
        })
    }
}

fn check_form(entry: &Entry, message: &Message, waba: &str) -> Result<(), Unfit> {
    let mut forms = entry.needs.values();
    let alone = forms.next().filter(|first| forms.all(|other| other == *first));
    let needs = if waba.is_empty() { alone } else { entry.needs.get(waba) };
    let Some(needs) = needs else { return Ok(()) };
    match serde_json::from_str::<Value>(message.json.get()) {
        Ok(whole) => needs.check(&whole["template"]),
        Err(_) => Ok(()),
    }
}

/// By a clock that is far ahead of ours nothing is recent.
fn is_recent(read_at: Timestamp, now: Timestamp) -> bool {
    now.since(read_at) < RECENT && read_at.since(now) < RECENT
}

/// Meta writes languages as `en_US`; `en-us` means the same.
fn plain(template: &TemplateRef) -> TemplateRef {
    let language = template.language.replace('-', "_").to_ascii_lowercase();
    TemplateRef { name: template.name.clone(), language }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::{Received, parse};

    /// From Meta's OpenAPI file (message_templates, `2023_april_promo`) and its pages on templates.
    fn promo() -> Value {
        json!([
            {"format": "TEXT", "text": "Fall Sale", "type": "HEADER"},
            {"example": {"body_text": [["Mark", "FALL25"]]},
             "text": "Hi {{1}}, our Fall Sale is on! Use promo code {{2}} Get an extra 25% off every order above $350!",
             "type": "BODY"},
            {"text": "Not interested in any of our sales? Tap Stop Promotions", "type": "FOOTER"},
            {"buttons": [{"text": "Stop promotions", "type": "QUICK_REPLY"}], "type": "BUTTONS"}
        ])
    }

    fn otp() -> Value {
        json!([
            {"type": "BODY", "text": "*{{1}}* is your verification code.", "add_security_recommendation": true},
            {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Copy code",
                "url": "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"}]}
        ])
    }

    fn entry(components: &Value, format: &str) -> Entry {
        let needs = Needs::of(components.as_array().expect("a list"), Some(format));
        Entry { category: Some(Category::Utility), needs: [("102".to_owned(), needs)].into() }
    }

    fn catalogue(components: &Value, format: &str) -> Catalogue {
        let mut catalogue = Catalogue::default();
        let template = TemplateRef { name: "promo".to_owned(), language: "en_US".to_owned() };
        catalogue.add(&template, entry(components, format));
        catalogue.note_reading("102", at(0));
        catalogue
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + second * 1_000)
    }

    /// By what was just read.
    fn check(catalogue: &Catalogue, message: &Message, waba: &str) -> Result<(), Unfit> {
        match catalogue.check(message, waba, at(1)) {
            Fit::Fits => Ok(()),
            Fit::Unfit(unfit) => Err(unfit),
            Fit::AskAgain(readings) => panic!("{readings:?} were just read"),
        }
    }

    fn message(language: &str, components: &Value) -> Message {
        let template = json!({"name": "promo", "language": {"code": language}, "components": components});
        let job = json!({"to": "+447700900123", "message": {"type": "template", "template": template}});
        parse(job.to_string().as_bytes(), &Received::here("2026-11-20T10:00:00Z".parse().expect("a time")))
            .expect("a job")
            .message
    }

    fn body(texts: &[&str]) -> Value {
        let parameters: Vec<Value> = texts.iter().map(|text| json!({"type": "text", "text": text})).collect();
        json!({"type": "body", "parameters": parameters})
    }

    #[test]
    fn the_count_of_parameters_is_the_template_s() {
        let catalogue = catalogue(&promo(), "POSITIONAL");
        let said = |components: Value| check(&catalogue, &message("en_US", &components), "102");
        assert_eq!(said(json!([body(&["Mark", "FALL25"])])), Ok(()));
        for wrong in [json!([]), json!([body(&["Mark"])]), json!([body(&["a", "b", "c"])])] {
            let unfit = said(wrong).expect_err("does not fit");
            assert_eq!(unfit.reason, Reason::TemplateMismatch);
            assert!(unfit.problem.contains("the template needs 2"), "{unfit}");
        }
        let header = json!({"type": "header", "parameters": [{"type": "text", "text": "x"}]});
        assert!(said(json!([header, body(&["Mark", "FALL25"])])).is_err(), "a header without a gap takes nothing");
    }

    #[test]
    fn a_button_that_needs_something_gets_it() {
        let catalogue = catalogue(&otp(), "POSITIONAL");
        let button = |index: Value| json!({"type": "button", "sub_type": "url", "index": index, "parameters": [{"type": "text", "text": "1234"}]});
        let said = |components: Value| check(&catalogue, &message("en_US", &components), "102");
        assert_eq!(said(json!([body(&["1234"]), button(json!("0"))])), Ok(()));
        assert_eq!(said(json!([body(&["1234"]), button(json!(0))])), Ok(()));
        let unfit = said(json!([body(&["1234"])])).expect_err("no button");
        assert!(unfit.problem.starts_with("button 0"), "{unfit}");
        assert!(said(json!([body(&["1234"]), button(json!(1))])).is_err(), "another button's");
    }

    #[test]
    fn a_header_of_media_is_there() {
        let components = json!([{"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["x"]}}, {"type": "BODY", "text": "Hi"}]);
        let catalogue = catalogue(&components, "POSITIONAL");
        let header = |kind: &str| json!([{"type": "header", "parameters": [{"type": kind, kind: {"link": "https://example.com/a"}}]}]);
        assert_eq!(check(&catalogue, &message("en_US", &header("image")), "102"), Ok(()));
        assert!(check(&catalogue, &message("en_US", &header("video")), "102").is_err());
        assert!(check(&catalogue, &message("en_US", &json!([])), "102").is_err());
    }

    #[test]
    fn named_parameters_are_held_to_their_names() {
        let components =
            json!([{"type": "BODY", "text": "{{first_name}}, your order {{order_id}}. Bye, {{first_name}}"}]);
        let catalogue = catalogue(&components, "NAMED");
        let named = |names: [&str; 2]| {
            let of = |name: &str| json!({"type": "text", "parameter_name": name, "text": "x"});
            message("en_US", &json!([{"type": "body", "parameters": names.map(of)}]))
        };
        assert_eq!(check(&catalogue, &named(["order_id", "first_name"]), "102"), Ok(()));
        assert!(check(&catalogue, &named(["order_id", "name"]), "102").is_err());
    }

    #[test]
    fn a_language_that_a_known_template_does_not_have_is_missing() {
        let catalogue = catalogue(&promo(), "POSITIONAL");
        let said = |language: &str, waba: &str| {
            check(&catalogue, &message(language, &json!([])), waba).map_err(|unfit| unfit.reason)
        };
        assert_eq!(said("de", "102"), Err(Reason::TemplateMissing));
        assert_eq!(said("en-us", "102"), Err(Reason::TemplateMismatch), "the same language, written otherwise");
        assert_eq!(said("de", "103"), Ok(()), "of that account nothing is known");
        assert_eq!(said("de", ""), Ok(()));
    }

    #[test]
    fn only_what_was_read_within_the_last_minute_is_held_against_a_message() {
        let mut catalogue = catalogue(&promo(), "POSITIONAL");
        let said = |catalogue: &Catalogue, language: &str, now: i64| {
            catalogue.check(&message(language, &json!([])), "102", at(now))
        };
        let again = |moment: Timestamp| Fit::AskAgain(vec![("102".to_owned(), moment)]);
        for language in ["en_US", "de"] {
            assert!(matches!(said(&catalogue, language, 59), Fit::Unfit(_)), "{language}");
            assert_eq!(said(&catalogue, language, 60), again(at(0)), "{language}");
            assert_eq!(said(&catalogue, language, -60), again(at(0)), "{language}: by a clock that is wrong");
        }
        let fits = message("en_US", &json!([body(&["Mark", "FALL25"])]));
        assert_eq!(catalogue.check(&fits, "102", at(100_000)), Fit::Fits, "however old");
        catalogue.note_reading("102", at(3_000));
        assert!(matches!(said(&catalogue, "de", 3_001), Fit::Unfit(_)));
        catalogue.readings.clear();
        assert_eq!(said(&catalogue, "de", 3_001), again(Timestamp::default()), "nobody knows when it was read");
    }

    #[test]
    fn where_nobody_knows_the_account_all_that_have_the_template_were_just_read() {
        let mut catalogue = catalogue(&promo(), "POSITIONAL");
        let needs = entry(&promo(), "POSITIONAL").needs["102"].clone();
        let both = ["102", "103"].map(|waba| (waba.to_owned(), needs.clone()));
        let template = TemplateRef { name: "promo".to_owned(), language: "en_US".to_owned() };
        catalogue.add(&template, Entry { category: None, needs: both.into() });
        let said = |catalogue: &Catalogue| catalogue.check(&message("en_US", &json!([])), "", at(1));
        assert_eq!(said(&catalogue), Fit::AskAgain(vec![("103".to_owned(), Timestamp::default())]));
        catalogue.note_reading("103", at(0));
        assert!(matches!(said(&catalogue), Fit::Unfit(_)));
    }

    #[test]
    fn nothing_is_held_against_what_is_not_understood() {
        let strange =
            json!([{"type": "HOLOGRAM", "text": "{{1}}"}, {"type": "HEADER", "format": "SMELL"}, {"type": "BODY"}, 7]);
        let mut catalogue = catalogue(&strange, "POSITIONAL");
        assert_eq!(check(&catalogue, &message("en_US", &json!([body(&["a", "b"])])), "102"), Ok(()));
        let told = TemplateRef { name: "promo".to_owned(), language: "fr".to_owned() };
        catalogue.add(&told, Entry { category: Some(Category::Marketing), needs: BTreeMap::new() });
        assert_eq!(check(&catalogue, &message("fr", &json!([])), "102"), Ok(()), "only a webhook told of it");
        assert_eq!(check(&Catalogue::default(), &message("en_US", &json!([])), "102"), Ok(()));
        let [one, other] = [entry(&promo(), "POSITIONAL"), entry(&otp(), "POSITIONAL")];
        let needs = [("102".to_owned(), one.needs["102"].clone()), ("103".to_owned(), other.needs["102"].clone())];
        catalogue.add(
            &TemplateRef { name: "promo".to_owned(), language: "en_US".to_owned() },
            Entry { category: None, needs: needs.into() },
        );
        assert_eq!(check(&catalogue, &message("en_US", &json!([])), ""), Ok(()), "two accounts have two forms of it");
    }

    #[test]
    fn a_job_without_a_category_gets_its_template_s() {
        use std::sync::Arc;
        let received = Received {
            catalogue: Some(Arc::new(catalogue(&promo(), "POSITIONAL"))),
            ..Received::here("2026-11-20T10:00:00Z".parse().expect("a time"))
        };
        let read = |name: &str, category: Option<&str>| {
            let template = json!({"name": name, "language": {"code": "en_US"}});
            let mut job = json!({"to": "+447700900123", "message": {"type": "template", "template": template}});
            if let Some(category) = category {
                job["category"] = json!(category);
            }
            let job = parse(job.to_string().as_bytes(), &received).expect("a job");
            (job.category, job.priority.to_string())
        };
        assert_eq!(read("promo", None), (Category::Utility, "normal".to_owned()));
        assert_eq!(
            read("promo", Some("marketing")),
            (Category::Marketing, "bulk".to_owned()),
            "the producer's word stands"
        );
        assert_eq!(read("unknown", None), (Category::Marketing, "bulk".to_owned()));
    }
}
