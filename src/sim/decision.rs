//! From a request to its answer: the one place where the simulator makes up its mind.

use super::config::Category;
use super::errors::Refusal;
use super::fault::FaultAction;
use super::fault_script::Effect;
use super::limits::MESSAGING_LIMIT_CODE;
use super::message::{Message, MessageKind, Posted};
use super::oracle_log::{Fate, NO_NUMBER, Note};
use super::platform::Platform;
use super::validate::Endpoint;
use std::io::Write as _;
use std::time::Duration;

/// What the sender gets to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) content: Content,
    pub(crate) delay: Duration,
    pub(crate) ending: Ending,
}

/// The answer's content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Json,
    Html,
}

/// How the answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should.
    Whole,
    /// In the middle of the body, with the connection.
    Half,
    /// With a reset connection instead of a first byte.
    Cut,
    /// Never: there is no answer.
    Hang,
}

/// A request whose number and token are known to be good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) number: u32,
    pub(crate) endpoint: Endpoint,
    pub(crate) at_ns: u64,
}

impl Answer {
    pub(crate) fn json(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            content: Content::Json,
            delay: Duration::ZERO,
            ending: Ending::Whole,
        }
    }

    fn page(status: u16) -> Self {
        let body = format!(
            "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n"
        );
        Self {
            content: Content::Html,
            ..Self::json(status, body.into_bytes())
        }
    }
}

/// Where a request stands after its head was read.
#[derive(Debug)]
pub(crate) enum HeadVerdict {
    /// Its body may be read.
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
        if let Some(number) = number {
            let name = &self.numbers[number as usize].id;
            if self.script.cuts_at_head(name, Duration::from_nanos(at_ns)) {
                let fate = Fate::Dropped(FaultAction::CutBefore);
                *self
                    .faults_struck
                    .entry(FaultAction::CutBefore.word())
                    .or_default() += 1;
                self.note(&Note {
                    at_ns,
                    number,
                    recipient: "",
                    callback: None,
                    kind: None,
                    category: None,
                    fate,
                });
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
        HeadVerdict::Refuse(self.refuse(number.unwrap_or(NO_NUMBER), at_ns, None, refusal))
    }

    /// Decides about a request that was read whole.
    pub(crate) fn decide(&mut self, arrival: Arrival, posted: Result<Posted, Refusal>) -> Answer {
        let Arrival { number, at_ns, .. } = arrival;
        let message = match posted {
            Err(refusal) => return self.refuse(number, at_ns, None, refusal),
            Ok(Posted::ReadReceipt) => {
                self.totals.read_receipts += 1;
                return Answer::json(200, br#"{"success":true}"#.to_vec());
            }
            Ok(Posted::Message(message)) => message,
        };
        if let Some(code) = self.numbers[number as usize].spec.status.refusal() {
            return self.refuse(number, at_ns, Some(&message), Refusal::of(code));
        }
        if let Err(refusal) = self.count_throughput(number, at_ns) {
            return self.refuse(number, at_ns, Some(&message), refusal);
        }
        let name = &self.numbers[number as usize].id;
        let effect =
            self.script
                .effect(name, &message.recipient.input, Duration::from_nanos(at_ns));
        let Effect { slow, action } = effect.unwrap_or(Effect {
            slow: Duration::ZERO,
            action: FaultAction::Answer,
        });
        let mut answer = match self.refuse_by_fault(number, at_ns, &message, action) {
            Some(answer) => answer,
            None => match self.check_rules(arrival, &message) {
                Err(refusal) => self.refuse(number, at_ns, Some(&message), refusal),
                Ok(()) => self.accept(arrival, &message, action),
            },
        };
        if effect.is_some() {
            *self.faults_struck.entry(action.word()).or_default() += 1;
        }
        answer.delay = slow + Duration::from_nanos(self.latency_ns());
        answer
    }

    /// Accepts whatever it is: all that stub mode does.
    pub(crate) fn accept_unseen(&mut self, number: u32, to: &str) -> Answer {
        self.totals.accepted += 1;
        self.numbers[number as usize].accepted += 1;
        self.waiters.reached(self.totals.accepted);
        let wamid = self.wamid(self.totals.accepted);
        Answer::json(200, acceptance(to, None, &wamid, None))
    }

    fn count_throughput(&mut self, number: u32, at_ns: u64) -> Result<(), Refusal> {
        let number = &mut self.numbers[number as usize];
        number.offered.note(at_ns);
        let limit = number.spec.messages_per_second();
        if number.counted.count(at_ns) >= limit as usize {
            let details = "Message failed to send because there were too many messages sent from this phone number \
                           in a short period of time";
            return Err(Refusal::because(130_429, details));
        }
        number.counted.note(at_ns);
        Ok(())
    }

    /// The answer of a fault that keeps the message from being accepted.
    fn refuse_by_fault(
        &mut self,
        number: u32,
        at_ns: u64,
        message: &Message,
        action: FaultAction,
    ) -> Option<Answer> {
        let dropped = match action {
            FaultAction::Code { code, http } => {
                let refusal = Refusal::of(code);
                let status = http.unwrap_or(refusal.http);
                return Some(self.refuse(number, at_ns, Some(message), refusal.with_http(status)));
            }
            FaultAction::TokenExpired => {
                return Some(self.refuse(number, at_ns, Some(message), Refusal::token_expired()));
            }
            FaultAction::Http(status) => Answer::page(status),
            FaultAction::CutBefore => Answer {
                ending: Ending::Cut,
                ..Answer::json(200, Vec::new())
            },
            FaultAction::Answer
            | FaultAction::CutAfter
            | FaultAction::Hang
            | FaultAction::HalfJson
            | FaultAction::Html200
            | FaultAction::NoWamid
            | FaultAction::Garbage => return None,
        };
        self.note_message(number, at_ns, message, None, Fate::Dropped(action));
        Some(dropped)
    }

    /// Template, recipient, pair limit, messaging limit; charges both limits if all is well.
    fn check_rules(&mut self, arrival: Arrival, message: &Message) -> Result<(), Refusal> {
        let Arrival {
            number,
            at_ns,
            endpoint,
        } = arrival;
        self.check_template(message, endpoint)?;
        let own = &self.numbers[number as usize].spec;
        if let Some(wa_id) = &message.recipient.wa_id {
            let display = own.display_number();
            if display.bytes().filter(u8::is_ascii_digit).eq(wa_id.bytes()) {
                return Err(Refusal::of(131_021));
            }
        }
        let recipient = message.recipient.key();
        if self.config.pair_limit && !self.pairs.allows(number, recipient, at_ns) {
            let details = "Message failed to send because there were too many messages sent from this phone number \
                           to the same phone number in a short period of time";
            return Err(Refusal::because(131_056, details));
        }
        if message.kind == MessageKind::Template {
            let portfolio = self.messaging_limit(number);
            if !portfolio.allows(recipient, at_ns) {
                return Err(Refusal::because(
                    MESSAGING_LIMIT_CODE,
                    "The portfolio has reached its messaging limit",
                ));
            }
            portfolio.charge(recipient, at_ns);
        }
        if self.config.pair_limit {
            self.pairs.charge(number, recipient, at_ns);
        }
        Ok(())
    }

    fn check_template(&self, message: &Message, endpoint: Endpoint) -> Result<(), Refusal> {
        let Some(wanted) = &message.template else {
            return Ok(());
        };
        let Some(known) = self.template(&wanted.name, &wanted.language) else {
            let details = format!(
                "template name ({}) does not exist in {}",
                wanted.name, wanted.language
            );
            let unknown = self.config.known_templates_only
                || self.templates.iter().any(|t| t.name == wanted.name);
            return if unknown {
                Err(Refusal::because(132_001, details))
            } else {
                Ok(())
            };
        };
        if let Some(code) = known.status.refusal() {
            return Err(Refusal::of(code));
        }
        if let Some(expected) = known.body_parameters
            && expected != wanted.body_parameters
        {
            let given = wanted.body_parameters;
            let details = format!(
                "body: number of localizable_params ({given}) does not match the expected number of params ({expected})"
            );
            return Err(Refusal::because(132_000, details));
        }
        if endpoint == Endpoint::MarketingMessages && known.category != Category::Marketing {
            return Err(Refusal::of(134_100));
        }
        if known.category == Category::Authentication && message.recipient.wa_id.is_none() {
            return Err(Refusal::of(131_062));
        }
        Ok(())
    }

    fn accept(&mut self, arrival: Arrival, message: &Message, action: FaultAction) -> Answer {
        let wamid = self.wamid(self.log.next_seq());
        let fate = match action {
            FaultAction::Answer => Fate::Accepted,
            spoilt => Fate::AcceptedThen(spoilt),
        };
        let category = self.category(message, arrival.endpoint);
        self.note_message(arrival.number, arrival.at_ns, message, category, fate);
        let status = message.template.is_some().then_some("accepted");
        let recipient = &message.recipient;
        let whole = || {
            Answer::json(
                200,
                acceptance(&recipient.input, recipient.wa_id.as_deref(), &wamid, status),
            )
        };
        match action {
            FaultAction::CutAfter => Answer {
                ending: Ending::Cut,
                ..whole()
            },
            FaultAction::Hang => Answer {
                ending: Ending::Hang,
                ..whole()
            },
            FaultAction::HalfJson => Answer {
                ending: Ending::Half,
                ..whole()
            },
            FaultAction::Html200 => Answer::page(200),
            FaultAction::NoWamid => Answer::json(
                200,
                br#"{"messaging_product":"whatsapp","contacts":[]}"#.to_vec(),
            ),
            FaultAction::Garbage => {
                Answer::json(200, b"\x00\xff\xfe{\"messages\": [[[\x80".to_vec())
            }
            FaultAction::Answer
            | FaultAction::Code { .. }
            | FaultAction::Http(_)
            | FaultAction::TokenExpired
            | FaultAction::CutBefore => whole(),
        }
    }

    fn category(&self, message: &Message, endpoint: Endpoint) -> Option<Category> {
        match &message.template {
            None => message.category.or(Some(Category::Service)),
            Some(_) if endpoint == Endpoint::MarketingMessages => Some(Category::Marketing),
            Some(wanted) => self
                .template(&wanted.name, &wanted.language)
                .map(|known| known.category),
        }
    }

    fn refuse(
        &mut self,
        number: u32,
        at_ns: u64,
        message: Option<&Message>,
        refusal: Refusal,
    ) -> Answer {
        let fate = Fate::Refused {
            code: refusal.code,
            http: refusal.http,
        };
        *self.refused_by_code.entry(refusal.code).or_default() += 1;
        match message {
            Some(message) => self.note_message(number, at_ns, message, None, fate),
            None => {
                self.note(&Note {
                    at_ns,
                    number,
                    recipient: "",
                    callback: None,
                    kind: None,
                    category: None,
                    fate,
                });
            }
        }
        let body = refusal.body(self.next_trace());
        Answer::json(refusal.http, body)
    }

    fn note_message(
        &mut self,
        number: u32,
        at_ns: u64,
        message: &Message,
        category: Option<Category>,
        fate: Fate,
    ) {
        if fate.is_accepted() && message.recipient.lacks_plus() {
            self.totals.without_plus += 1;
        }
        self.note(&Note {
            at_ns,
            number,
            recipient: &message.recipient.input,
            callback: message.callback.as_deref(),
            kind: Some(message.kind),
            category,
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
        if note.fate.is_accepted() {
            self.waiters.reached(self.totals.accepted);
        }
    }
}

/// The body of a 200. Written by hand: it is the hot path, and its parts were validated, save `input`.
fn acceptance(input: &str, wa_id: Option<&str>, wamid: &str, status: Option<&str>) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    body.extend_from_slice(br#"{"messaging_product":"whatsapp","contacts":[{"input":"#);
    serde_json::to_writer(&mut body, input).expect("a string always serialises");
    if let Some(wa_id) = wa_id {
        write!(body, r#","wa_id":"{wa_id}""#).expect("a vector takes everything");
    }
    write!(body, r#"}}],"messages":[{{"id":"{wamid}""#).expect("a vector takes everything");
    if let Some(status) = status {
        write!(body, r#","message_status":"{status}""#).expect("a vector takes everything");
    }
    body.extend_from_slice(b"}]}");
    body
}
