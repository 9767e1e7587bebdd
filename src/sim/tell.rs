//! What the simulated Meta decides to tell the business.

use super::customer::Answer;
use super::decision::Arrival;
use super::message::Message;
use super::platform::Platform;
use super::template_spec::Category;
use super::validate::Endpoint;
use super::webhooks::{Next, Price, SentMessage, Update};
use bytes::Bytes;
use std::sync::Arc;

impl Platform {
    /// Plans what the business is told about a message that was just accepted.
    pub(crate) fn plan_statuses(&mut self, arrival: Arrival, message: &Message, wamid: &str) {
        if self.outbox.is_none() {
            return;
        }
        let Arrival { number, at_ns } = arrival;
        let category = self.category(message).unwrap_or(Category::Utility);
        let is_in_window = self.windows.is_open(number, message.recipient.key(), at_ns);
        let doom = self.doom(message, category, is_in_window);
        let origin = &self.numbers[number as usize].origin;
        let Some(outbox) = &mut self.outbox else {
            return;
        };
        let is_free = outbox.config.service_is_free
            && match category {
                Category::Service => true,
                Category::Utility => is_in_window,
                Category::Marketing | Category::Authentication => false,
            };
        let by_marketing_messages = message.endpoint == Endpoint::MarketingMessages;
        let sent = Arc::new(SentMessage {
            wamid: wamid.to_owned(),
            origin: Arc::clone(origin),
            recipient: message.recipient.clone(),
            callback: message.callback.clone(),
            price: Price::new(category, by_marketing_messages, is_free),
        });
        let failed_ns = outbox.plan_statuses(&sent, message.first_button.as_ref(), at_ns, doom);
        if let Some(failed_ns) = failed_ns {
            self.messaging_limit(number).fails(message.recipient.key(), at_ns, failed_ns);
        }
    }

    /// The code with which an accepted message must fail, if it must.
    fn doom(&self, message: &Message, category: Category, is_in_window: bool) -> Option<u32> {
        if category == Category::Marketing && self.account.has_stopped_marketing(message.recipient.key()) {
            return Some(131_050);
        }
        // A template may open a conversation, and so may a message that names its category (Direct Send).
        let is_free_form = message.template.is_none() && message.category.is_none();
        (self.config.strict_windows && is_free_form && !is_in_window).then_some(131_047)
    }

    /// Plans a body of somebody's own, signed as all are; false if no webhooks are configured.
    pub(crate) fn plan_raw(&mut self, body: Bytes, now_ns: u64) -> bool {
        let outbox = self.outbox.as_mut();
        outbox.map(|outbox| outbox.plan(now_ns, Update::Raw(body))).is_some()
    }

    /// What the webhook sender is to do now. First, customers say what they have to say by now.
    pub(crate) fn next_post(&mut self, now_ns: u64) -> Next {
        while let Some((at_ns, answer)) = self.outbox.as_mut().and_then(|outbox| outbox.take_answer(now_ns)) {
            let Answer { number, from, said } = answer;
            let number = self.find_number(&number).expect("numbers that sent something stay");
            self.hear(number, from, &said, at_ns);
        }
        self.outbox.as_mut().map_or(Next::Idle, |outbox| outbox.next(now_ns))
    }
}
