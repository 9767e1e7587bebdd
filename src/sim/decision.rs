//! From a request to its answer: the one place where the simulator makes up its mind.

use super::answer::{Answer, Ending, acceptance};
use super::fault::FaultAction;
use super::fault_script::Effect;
use super::message::{Message, Posted};
use super::oracle_log::{Fate, NO_NUMBER, Note};
use super::platform::Platform;
use super::refusal::Refusal;
use std::time::Duration;

/// A request whose number and token are known to be good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Its number's place, or [`NO_NUMBER`].
    pub(crate) number: u32,
    pub(crate) at_ns: u64,
}

/// Where a request stands after its head was read.
#[derive(Debug)]
pub(crate) enum HeadVerdict {
    /// Its body may be read; this is its number.
    Read(u32),
    /// It is cut off before its body is read.
    Cut,
    /// It is refused, whatever its body says.
    Refuse(Answer),
}

impl Platform {
    /// Looks at a request's head: its number and its token.
    pub(crate) fn meet(&mut self, id: &str, token: Option<&str>, at_ns: u64) -> HeadVerdict {
        let number = self.find_number(id);
        let arrival = Arrival { number: number.unwrap_or(NO_NUMBER), at_ns };
        if let Some(number) = number {
            let name = &self.numbers[number as usize].id;
            if self.script.cuts_at_head(name, Duration::from_nanos(at_ns)) {
                self.strike(FaultAction::CutBefore);
                self.note_head(arrival, Fate::Dropped(FaultAction::CutBefore));
                return HeadVerdict::Cut;
            }
        }
        let refusal = match (self.authenticate(token), number) {
            (Err(refusal), _) => refusal,
            (Ok(()), Some(number)) if self.may_use(token.unwrap_or_default(), number) => {
                return HeadVerdict::Read(number);
            }
            (Ok(()), _) => Refusal::no_such_object(id),
        };
        HeadVerdict::Refuse(self.refuse(arrival, None, refusal))
    }

    /// Decides about a request that was read whole.
    pub(crate) fn decide(&mut self, arrival: Arrival, posted: Result<Posted, Refusal>) -> Answer {
        let mut answer = match posted {
            Err(refusal) => self.refuse(arrival, None, refusal),
            Ok(Posted::ReadReceipt { message_id }) => self.note_read(arrival, &message_id),
            Ok(Posted::Message(message)) => self.judge(arrival, &message),
        };
        answer.delay += Duration::from_nanos(self.latency_ns());
        answer
    }

    /// A receipt for what a customer said to this number, and for nothing else.
    fn note_read(&mut self, arrival: Arrival, message_id: &str) -> Answer {
        if !self.heard.knows(arrival.number, message_id) {
            let details = "Param message_id must be the id of a message that this number received";
            return self.refuse(arrival, None, Refusal::because(100, details));
        }
        self.totals.read_receipts += 1;
        Answer::json(200, br#"{"success":true}"#.to_vec())
    }

    /// Accepts whatever it is: all that stub mode does.
    pub(crate) fn accept_unseen(&mut self, number: u32, to: &str) -> Answer {
        self.totals.accepted += 1;
        self.numbers[number as usize].accepted += 1;
        self.acceptances.reached(self.totals.accepted);
        let wamid = self.wamid(self.totals.accepted);
        Answer::json(200, acceptance(to, None, &wamid, None))
    }

    fn judge(&mut self, arrival: Arrival, message: &Message) -> Answer {
        let number = &self.numbers[arrival.number as usize];
        if let Some(code) = number.spec.status.refusal() {
            return self.refuse(arrival, Some(message), Refusal::of(code));
        }
        if let Err(refusal) = self.count_throughput(arrival) {
            return self.refuse(arrival, Some(message), refusal);
        }
        let number = &self.numbers[arrival.number as usize];
        let now = Duration::from_nanos(arrival.at_ns);
        let Some(Effect { slow, action }) = self.script.effect(&number.id, &message.recipient.input, now) else {
            return self.follow_rules(arrival, message, FaultAction::Answer);
        };
        self.strike(action);
        let mut answer = match self.refuse_by_fault(arrival, message, action) {
            Some(answer) => answer,
            None => self.follow_rules(arrival, message, action),
        };
        answer.delay = slow;
        answer
    }

    fn count_throughput(&mut self, arrival: Arrival) -> Result<(), Refusal> {
        let number = &mut self.numbers[arrival.number as usize];
        number.offered.note(arrival.at_ns);
        let limit = number.spec.messages_per_second();
        if number.counted.count(arrival.at_ns) >= limit as usize {
            let details = "Message failed to send because there were too many messages sent from this phone number \
                           in a short period of time";
            return Err(Refusal::because(130_429, details));
        }
        number.counted.note(arrival.at_ns);
        Ok(())
    }

    /// The answer of a fault that keeps the message from being accepted.
    fn refuse_by_fault(&mut self, arrival: Arrival, message: &Message, action: FaultAction) -> Option<Answer> {
        let dropped = match action {
            FaultAction::Code { code, http } => {
                let refusal = Refusal::of(code);
                let status = http.unwrap_or(refusal.http);
                return Some(self.refuse(arrival, Some(message), refusal.with_http(status)));
            }
            FaultAction::TokenExpired => {
                return Some(self.refuse(arrival, Some(message), Refusal::token_expired()));
            }
            FaultAction::Http(status) => Answer::page(status),
            FaultAction::CutBefore => Answer::json(200, Vec::new()).ending(Ending::Cut),
            FaultAction::Answer
            | FaultAction::CutAfter
            | FaultAction::Hang
            | FaultAction::HalfJson
            | FaultAction::Html200
            | FaultAction::NoWamid
            | FaultAction::Garbage => return None,
        };
        self.note_message(arrival, message, Fate::Dropped(action));
        Some(dropped)
    }

    fn follow_rules(&mut self, arrival: Arrival, message: &Message, action: FaultAction) -> Answer {
        match self.check_rules(arrival, message) {
            Err(refusal) => self.refuse(arrival, Some(message), refusal),
            Ok(()) => self.accept(arrival, message, action),
        }
    }

    fn accept(&mut self, arrival: Arrival, message: &Message, action: FaultAction) -> Answer {
        let wamid = self.wamid(self.log.next_seq());
        let fate = match action {
            FaultAction::Answer => Fate::Accepted,
            spoilt => Fate::AcceptedThen(spoilt),
        };
        self.note_message(arrival, message, fate);
        self.plan_statuses(arrival, message, &wamid);
        let status = message.template.is_some().then_some("accepted");
        let recipient = &message.recipient;
        let whole = || Answer::json(200, acceptance(&recipient.input, recipient.wa_id.as_deref(), &wamid, status));
        match action {
            FaultAction::CutAfter => whole().ending(Ending::Cut),
            FaultAction::Hang => whole().ending(Ending::Hang),
            FaultAction::HalfJson => whole().ending(Ending::Half),
            FaultAction::Html200 => Answer::page(200),
            FaultAction::NoWamid => Answer::json(200, br#"{"messaging_product":"whatsapp","contacts":[]}"#.to_vec()),
            FaultAction::Garbage => Answer::json(200, b"\x00\xff\xfe{\"messages\": [[[\x80".to_vec()),
            FaultAction::Answer
            | FaultAction::Code { .. }
            | FaultAction::Http(_)
            | FaultAction::TokenExpired
            | FaultAction::CutBefore => whole(),
        }
    }

    fn refuse(&mut self, arrival: Arrival, message: Option<&Message>, refusal: Refusal) -> Answer {
        let fate = Fate::Refused { code: refusal.code, http: refusal.http };
        *self.refused_by_code.entry(refusal.code).or_default() += 1;
        match message {
            Some(message) => self.note_message(arrival, message, fate),
            None => self.note_head(arrival, fate),
        }
        let body = refusal.body(self.next_trace());
        Answer::json(refusal.http, body)
    }

    fn strike(&mut self, action: FaultAction) {
        *self.faults_struck.entry(action.word()).or_default() += 1;
    }

    fn note_head(&mut self, arrival: Arrival, fate: Fate) {
        let Arrival { number, at_ns } = arrival;
        self.note(&Note { at_ns, number, recipient: "", callback: None, kind: None, category: None, fate });
    }

    fn note_message(&mut self, arrival: Arrival, message: &Message, fate: Fate) {
        if fate.is_accepted() && message.recipient.lacks_plus() {
            self.totals.without_plus += 1;
        }
        self.note(&Note {
            at_ns: arrival.at_ns,
            number: arrival.number,
            recipient: &message.recipient.input,
            callback: message.callback.as_deref(),
            kind: Some(message.kind),
            category: self.category(message),
            fate,
        });
    }

    fn note(&mut self, note: &Note<'_>) {
        self.log.push(note);
        if let Some(number) = self.numbers.get_mut(note.number as usize) {
            if note.fate.is_accepted() {
                number.accepted += 1;
                number.first_accepted_ns.get_or_insert(note.at_ns);
                number.last_accepted_ns = Some(note.at_ns);
            } else {
                number.refused += 1;
            }
        }
        match note.fate {
            Fate::Accepted => self.totals.accepted += 1,
            Fate::AcceptedThen(_) => {
                self.totals.accepted += 1;
                self.totals.accepted_then_fault += 1;
            }
            Fate::Refused { .. } => self.totals.refused += 1,
            Fate::Dropped(_) => self.totals.dropped += 1,
        }
        self.rows.reached(self.log.next_seq() - 1);
        self.acceptances.reached(self.totals.accepted);
    }
}
