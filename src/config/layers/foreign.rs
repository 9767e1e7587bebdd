//! Names that people already have in their environment from other tools and guides.
//!
//! They stand above the defaults and below everything that was written for Tidegate: a `DATABASE_URL`
//! that is there for another program must not replace a ledger that the file names.

use ::config::{Map, Value, ValueKind};

use super::environment::{Variable, Variables};
use super::origin::{Layer, Origin};
use super::pair::Pair;

/// A key, the names it also goes by (the first that is set counts), and whether `…_FILE` works too.
const NAMES: [(&str, &[&str], Kind); 7] = [
    ("queue.url", &["AMQP_URL"], Kind::Secret),
    ("ledger.url", &["DATABASE_URL"], Kind::Secret),
    ("cloud_api.access_token", &["WHATSAPP_ACCESS_TOKEN"], Kind::Secret),
    ("cloud_api.waba", &["WHATSAPP_BUSINESS_ACCOUNT_ID"], Kind::Plain),
    ("cloud_api.version", &["WHATSAPP_API_VERSION"], Kind::Plain),
    ("webhook.verify_token", &["WHATSAPP_VERIFY_TOKEN", "WEBHOOK_VERIFY_TOKEN"], Kind::Secret),
    ("webhook.app_secret", &["META_APP_SECRET", "WHATSAPP_APP_SECRET"], Kind::Secret),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Secret,
}

/// What the variables set by such names. An empty variable sets nothing: guides leave them in templates.
pub fn pairs(variables: &Variables) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (key, names, kind) in NAMES {
        for name in names {
            let value = variables.filled(name).map(|variable| text(key.to_owned(), name, variable));
            let file_name = format!("{name}_FILE");
            let file = variables
                .filled(&file_name)
                .filter(|_| kind == Kind::Secret)
                .map(|variable| text(format!("{key}_file"), &file_name, variable));
            if value.is_some() || file.is_some() {
                pairs.extend(value.into_iter().chain(file));
                break;
            }
        }
    }
    if let Some(variable) = variables.filled("PORT") {
        let address = format!("127.0.0.1:{}", variable.value.trim());
        pairs.push(Pair { value: ValueKind::String(address), ..text("api.listen".to_owned(), "PORT", variable) });
    }
    pairs.extend(numbers(variables));
    pairs
}

fn origin_of(name: &str, variable: &Variable) -> Origin {
    match variable.in_dotenv {
        true => Origin { layer: Layer::ForeignDotEnv, text: format!(".env {name}") },
        false => Origin { layer: Layer::Foreign, text: format!("environment {name}") },
    }
}

fn text(key: String, name: &str, variable: &Variable) -> Pair {
    let value = ValueKind::String(variable.value.trim().to_owned());
    Pair { key, value, origin: origin_of(name, variable) }
}

/// `PHONE_NUMBERS` (`id:display,…`), and the one number of `WHATSAPP_PHONE_NUMBER_ID` if it is not among them.
fn numbers(variables: &Variables) -> Option<Pair> {
    let mut ids = Vec::new();
    let mut list = Vec::new();
    let mut list_origin = None;
    for name in ["PHONE_NUMBERS", "WHATSAPP_PHONE_NUMBER_ID"] {
        let Some(variable) = variables.filled(name) else {
            continue;
        };
        let origin = origin_of(name, variable);
        for entry in variable.value.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (id, display) = entry.split_once(':').unwrap_or((entry, ""));
            if name != "PHONE_NUMBERS" && ids.contains(&id.to_owned()) {
                continue;
            }
            ids.push(id.to_owned());
            let field = |text: &str| Value::new(Some(&origin.encode()), text.trim().to_owned());
            let mut number = Map::from_iter([("id".to_owned(), field(id))]);
            if !display.is_empty() {
                number.insert("display".to_owned(), field(display));
            }
            list.push(Value::new(Some(&origin.encode()), number));
        }
        list_origin.get_or_insert(origin);
    }
    let origin = list_origin?;
    Some(Pair { key: "numbers".to_owned(), value: ValueKind::Array(list), origin })
}
