//! Templates as far as Meta told of them: what each is charged as, and what a message must bring for it. Pure.
//!
//! Nothing is ever held against a message whose template is not known, or not understood.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde_json::Value;

use super::needs::Needs;
use super::{Category, Message, TemplateRef};
use crate::outcome::Reason;

/// The templates that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// By name, and language as it is compared.
    templates: HashMap<TemplateRef, Entry>,
    /// Names of which every language is known, by account.
    names: BTreeMap<String, BTreeSet<String>>,
}

/// What is known of one template: it may be several accounts', in a form of its own in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What it is charged as.
    pub category: Option<Category>,
    /// What it needs, by account; none for those of which only webhooks told.
    pub needs: BTreeMap<String, Needs>,
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

    /// What a template is charged as, if that is known.
    pub fn category_of(&self, template: &TemplateRef) -> Option<Category> {
        self.templates.get(&plain(template))?.category
    }

    /// Whether a message has what its template needs in this account; `waba` is empty where nobody knows it.
    pub fn check(&self, message: &Message, waba: &str) -> Result<(), Unfit> {
        let Some(template) = &message.template else { return Ok(()) };
        if self.templates.is_empty() {
            return Ok(());
        }
        let Some(entry) = self.templates.get(&plain(template)) else {
            return self.check_language(template, waba);
        };
        let mut forms = entry.needs.values();
        let alone = forms.next().filter(|first| forms.all(|other| other == *first));
        let needs = if waba.is_empty() { alone } else { entry.needs.get(waba) };
        let Some(needs) = needs else { return Ok(()) };
        match serde_json::from_str::<Value>(message.json.get()) {
            Ok(whole) => needs.check(&whole["template"]),
            Err(_) => Ok(()),
        }
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
        catalogue
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
        let said = |components: Value| catalogue.check(&message("en_US", &components), "102");
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
        let said = |components: Value| catalogue.check(&message("en_US", &components), "102");
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
        assert_eq!(catalogue.check(&message("en_US", &header("image")), "102"), Ok(()));
        assert!(catalogue.check(&message("en_US", &header("video")), "102").is_err());
        assert!(catalogue.check(&message("en_US", &json!([])), "102").is_err());
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
        assert_eq!(catalogue.check(&named(["order_id", "first_name"]), "102"), Ok(()));
        assert!(catalogue.check(&named(["order_id", "name"]), "102").is_err());
    }

    #[test]
    fn a_language_that_a_known_template_does_not_have_is_missing() {
        let catalogue = catalogue(&promo(), "POSITIONAL");
        let said = |language: &str, waba: &str| {
            catalogue.check(&message(language, &json!([])), waba).map_err(|unfit| unfit.reason)
        };
        assert_eq!(said("de", "102"), Err(Reason::TemplateMissing));
        assert_eq!(said("en-us", "102"), Err(Reason::TemplateMismatch), "the same language, written otherwise");
        assert_eq!(said("de", "103"), Ok(()), "of that account nothing is known");
        assert_eq!(said("de", ""), Ok(()));
    }

    #[test]
    fn nothing_is_held_against_what_is_not_understood() {
        let strange =
            json!([{"type": "HOLOGRAM", "text": "{{1}}"}, {"type": "HEADER", "format": "SMELL"}, {"type": "BODY"}, 7]);
        let mut catalogue = catalogue(&strange, "POSITIONAL");
        assert_eq!(catalogue.check(&message("en_US", &json!([body(&["a", "b"])])), "102"), Ok(()));
        let told = TemplateRef { name: "promo".to_owned(), language: "fr".to_owned() };
        catalogue.add(&told, Entry { category: Some(Category::Marketing), needs: BTreeMap::new() });
        assert_eq!(catalogue.check(&message("fr", &json!([])), "102"), Ok(()), "only a webhook told of it");
        assert_eq!(Catalogue::default().check(&message("en_US", &json!([])), "102"), Ok(()));
        let [one, other] = [entry(&promo(), "POSITIONAL"), entry(&otp(), "POSITIONAL")];
        let needs = [("102".to_owned(), one.needs["102"].clone()), ("103".to_owned(), other.needs["102"].clone())];
        catalogue.add(
            &TemplateRef { name: "promo".to_owned(), language: "en_US".to_owned() },
            Entry { category: None, needs: needs.into() },
        );
        assert_eq!(catalogue.check(&message("en_US", &json!([])), ""), Ok(()), "two accounts have two forms of it");
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
