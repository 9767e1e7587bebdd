//! Which statuses an accepted message gets, and when.

use super::config::AnswerShares;
use super::outbox::Outbox;
use super::update::{SentMessage, Step, Update};
use crate::sim::customer::{Answer, Inbound};
use crate::sim::message::FirstButton;
use rand::Rng;
use std::sync::Arc;

/// A status: when it happens, and when it is told.
struct Planned {
    step: Step,
    happened_ns: u64,
    told_ns: u64,
    is_priced: bool,
}

impl Outbox {
    /// Plans all statuses of a message that was accepted at `at_ns`, and its recipient's answer. With a code in
    /// `doom` it fails, whatever the shares say. Gives the moment at which it fails, if it does.
    pub(crate) fn plan_statuses(
        &mut self,
        message: &Arc<SentMessage>,
        first_button: Option<&FirstButton>,
        at_ns: u64,
        doom: Option<u32>,
    ) -> Option<u64> {
        let mut failed = None;
        let mut planned = match doom.or_else(|| self.drawn_failure(message)) {
            Some(code) => {
                let failed_ns = at_ns + self.delay_ns(self.config.delays.sent);
                failed = Some(failed_ns);
                vec![Planned { step: Step::Failed(code), happened_ns: failed_ns, told_ns: failed_ns, is_priced: false }]
            }
            None => self.life(message, first_button, at_ns),
        };
        self.disorder(&mut planned);
        for Planned { step, happened_ns, told_ns, is_priced } in planned {
            let update = Update::Status { message: Arc::clone(message), step, happened_ns, is_priced };
            self.plan(told_ns, update);
        }
        failed
    }

    /// The code of the first configured failure that meets the message.
    fn drawn_failure(&mut self, message: &SentMessage) -> Option<u32> {
        let meets = |number: Option<&str>, suffix: Option<&str>| {
            number.is_none_or(|number| number == &*message.origin.number)
                && suffix.is_none_or(|suffix| message.recipient.input.ends_with(suffix))
        };
        for index in 0..self.config.failed.len() {
            let failed = &self.config.failed[index];
            let (code, share) = (failed.code, failed.share);
            if meets(failed.number.as_deref(), failed.recipient_suffix.as_deref()) && self.draws(share) {
                return Some(code);
            }
        }
        None
    }

    /// What becomes of a message that does not fail.
    fn life(&mut self, message: &Arc<SentMessage>, first_button: Option<&FirstButton>, at_ns: u64) -> Vec<Planned> {
        let on_time = |step, at_ns, is_priced| Planned { step, happened_ns: at_ns, told_ns: at_ns, is_priced };
        let delays = self.config.delays;
        let sent_ns = at_ns + self.delay_ns(delays.sent);
        let mut planned = vec![on_time(Step::Sent, sent_ns, true)];
        if !self.draws(self.config.delivered_share) {
            return planned;
        }
        let delivered_ns = sent_ns + self.delay_ns(delays.delivered);
        let is_read = self.draws(self.config.read_share);
        let is_only_read = is_read && self.draws(self.config.only_read_share);
        // The price stands on one of the two, and Meta does not say on which.
        let is_priced_late = is_only_read || (is_read && self.rng.random());
        if !is_only_read {
            planned.push(on_time(Step::Delivered, delivered_ns, !is_priced_late));
        }
        if is_read {
            let read_ns = delivered_ns + self.delay_ns(delays.read);
            planned.push(on_time(Step::Read, read_ns, is_priced_late));
        }
        self.perhaps_answer(message, first_button, delivered_ns);
        planned
    }

    /// Tells two neighbouring statuses in the wrong order, if this message is of the share.
    fn disorder(&mut self, planned: &mut [Planned]) {
        if planned.len() < 2 || !self.draws(self.config.disorder_share) {
            return;
        }
        let first = self.rng.random_range(0..planned.len() - 1);
        let (earlier_ns, later_ns) = (planned[first].told_ns, planned[first + 1].told_ns);
        planned[first].told_ns = later_ns;
        planned[first + 1].told_ns = earlier_ns;
        // Nothing is told before it happened.
        planned[first + 1].happened_ns = earlier_ns;
        self.counts.disordered += 1;
    }

    fn perhaps_answer(&mut self, message: &Arc<SentMessage>, first_button: Option<&FirstButton>, delivered_ns: u64) {
        let AnswerShares { stop, text, button } = self.config.answers;
        if stop + text + button <= 0.0 {
            return;
        }
        let drawn: f64 = self.rng.random();
        let said = if drawn < stop {
            Inbound::text("STOP")
        } else if drawn < stop + text {
            Inbound::text("Thank you, got it")
        } else if drawn < stop + text + button {
            Inbound::tap(first_button, &message.wamid)
        } else {
            return;
        };
        let at_ns = delivered_ns + self.delay_ns(self.config.delays.read);
        let number = Arc::clone(&message.origin.number);
        self.plan_answer(at_ns, Answer { number, from: message.recipient.clone(), said });
    }
}
