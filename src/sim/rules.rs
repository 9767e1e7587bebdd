//! What Meta asks of a message that is valid in itself: its template, its recipient, and the limits.

use super::decision::Arrival;
use super::limits::MESSAGING_LIMIT_CODE;
use super::message::{Message, MessageKind};
use super::platform::Platform;
use super::refusal::Refusal;
use super::template_spec::Category;
use super::validate::Endpoint;

impl Platform {
    /// Account, template, recipient, pair limit, messaging limit; charges both limits if all is well.
    pub(crate) fn check_rules(&mut self, arrival: Arrival, message: &Message) -> Result<(), Refusal> {
        let Arrival { number, at_ns } = arrival;
        let waba = &self.numbers[number as usize].spec.waba;
        if let Some(code) = self.account.refusal(waba, message.template.is_some(), at_ns) {
            return Err(Refusal::of(code));
        }
        self.check_template(message)?;
        if let Some(wa_id) = &message.recipient.wa_id {
            let own = self.numbers[number as usize].spec.display_number();
            if own.bytes().filter(u8::is_ascii_digit).eq(wa_id.bytes()) {
                return Err(Refusal::of(131_021));
            }
        }
        let recipient = message.recipient.key();
        if self.config.pair_limit && !self.pairs.allows(number, recipient, at_ns) {
            let details = "Message failed to send because there were too many messages sent from this phone number \
                           to the same phone number in a short period of time";
            return Err(Refusal::because(131_056, details));
        }
        // Answers inside a service window are not limited, and free-form messages are taken to be such.
        if message.kind == MessageKind::Template && !self.windows.is_open(number, recipient, at_ns) {
            let portfolio = self.messaging_limit(number);
            if !portfolio.allows(recipient, at_ns) {
                let details = "The portfolio has reached its messaging limit";
                return Err(Refusal::because(MESSAGING_LIMIT_CODE, details));
            }
            portfolio.charge(recipient, at_ns);
        }
        if self.config.pair_limit {
            self.pairs.charge(number, recipient, at_ns);
        }
        Ok(())
    }

    fn check_template(&self, message: &Message) -> Result<(), Refusal> {
        let Some(wanted) = &message.template else {
            return Ok(());
        };
        let Some(known) = self.template(&wanted.name, &wanted.language) else {
            let other_language = self.templates.iter().any(|known| known.name == wanted.name);
            if !other_language && !self.config.known_templates_only {
                return Ok(());
            }
            let details = format!("template name ({}) does not exist in {}", wanted.name, wanted.language);
            return Err(Refusal::because(132_001, details));
        };
        if let Some(code) = known.status.refusal() {
            return Err(Refusal::of(code));
        }
        let given = wanted.body_parameters;
        if let Some(expected) = known.body_parameters.filter(|expected| *expected != given) {
            let details = format!(
                "body: number of localizable_params ({given}) does not match the expected number of params ({expected})"
            );
            return Err(Refusal::because(132_000, details));
        }
        if message.endpoint == Endpoint::MarketingMessages && known.category != Category::Marketing {
            return Err(Refusal::of(134_100));
        }
        if known.category == Category::Authentication && message.recipient.wa_id.is_none() {
            return Err(Refusal::of(131_062));
        }
        Ok(())
    }

    /// The category that the message would be billed under, where that is known.
    pub(crate) fn category(&self, message: &Message) -> Option<Category> {
        match (&message.template, message.endpoint) {
            (None, _) => message.category.or(Some(Category::Service)),
            (Some(_), Endpoint::MarketingMessages) => Some(Category::Marketing),
            (Some(wanted), Endpoint::Messages) => {
                self.template(&wanted.name, &wanted.language).map(|known| known.category)
            }
        }
    }
}
