//! Makes an event happen: changes what the platform knows, and plans the webhook that tells of it.

use super::announcement;
use super::event::{AccountEvent, BanState, EventError, LimitForm, MarketingPreference, NameDecision, Restriction};
use crate::sim::number_state::{NumberChange, Quality, ThroughputLevel};
use crate::sim::platform::Platform;
use crate::sim::template_spec::{Category, TemplateSpec, TemplateStatus};
use crate::sim::validate;
use crate::sim::webhooks::{Update, contact, metadata, name_person};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The time on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at_ns: u64,
    pub(crate) unix_s: u64,
}

/// A template that an event is about.
type Found = (usize, TemplateSpec);

impl Platform {
    /// Makes `event` happen now.
    pub(crate) fn announce(&mut self, event: &AccountEvent, now: Moment) -> Result<(), EventError> {
        match event {
            AccountEvent::TemplatePaused { name, language, pause } => {
                let told = ("PAUSED", pause.word());
                self.set_template_status((name, language.as_deref()), TemplateStatus::Paused, told, now);
            }
            AccountEvent::TemplateUnpaused { name, language } => {
                let told = ("APPROVED", "UNPAUSE");
                self.set_template_status((name, language.as_deref()), TemplateStatus::Approved, told, now);
            }
            AccountEvent::TemplateDisabled { name, language } => {
                let told = ("DISABLED", "DISABLED");
                self.set_template_status((name, language.as_deref()), TemplateStatus::Disabled, told, now);
            }
            AccountEvent::TemplateQuality { name, language, quality } => {
                self.set_template_quality((name, language.as_deref()), *quality, now);
            }
            AccountEvent::TemplateCategory { name, language, category, impending } => {
                self.set_template_category((name, language.as_deref()), *category, *impending, now);
            }
            AccountEvent::NumberQuality { number, quality, level } => {
                return self.set_number_quality(number, *quality, *level, now);
            }
            AccountEvent::MessagingLimit { limit, form } => self.set_limit(*limit, *form, now),
            AccountEvent::AccountRestricted { waba, restriction, seconds } => {
                return self.restrict(waba.as_deref(), *restriction, *seconds, now);
            }
            AccountEvent::AccountBan { waba, state } => return self.ban(waba.as_deref(), *state, now),
            AccountEvent::AccountAlert { waba, severity, kind, description } => {
                let waba = self.account(waba.as_deref())?;
                let alert = announcement::alert(&waba, *severity, kind, description);
                self.tell(&waba, "account_alerts", alert, now);
            }
            AccountEvent::NumberName { number, name, decision, reason } => {
                return self.name_number(number, (name, reason.as_deref()), *decision, now);
            }
            AccountEvent::UserPreference { number, from, value } => {
                return self.set_preference(number, from, *value, now);
            }
        }
        Ok(())
    }

    fn tell(&mut self, waba: &str, field: &'static str, value: Value, now: Moment) {
        if let Some(outbox) = &mut self.outbox {
            let update = Update::Event { waba: waba.into(), field, value: Arc::new(value), happened_ns: now.at_ns };
            outbox.plan(now.at_ns, update);
        }
    }

    /// The account of this id; the first, if none is named.
    fn account(&self, id: Option<&str>) -> Result<String, EventError> {
        let known = match id {
            Some(id) => self.wabas.iter().find(|waba| waba.id == id),
            None => self.wabas.first(),
        };
        known.map(|waba| waba.id.clone()).ok_or_else(|| EventError::NoAccount(id.unwrap_or_default().to_owned()))
    }

    /// Lists the template if it was not, changes it in one language or all, and gives each as it was before.
    fn change_templates(
        &mut self,
        (name, language): (&str, Option<&str>),
        change: impl Fn(&mut TemplateSpec),
    ) -> Vec<Found> {
        let is_wanted = |known: &TemplateSpec| {
            let plain = |code: &str| code.replace('-', "_").to_ascii_lowercase();
            known.name == name && language.is_none_or(|language| plain(language) == plain(&known.language))
        };
        if !self.templates.iter().any(is_wanted) {
            let mut new = TemplateSpec::new(name, Category::Utility);
            if let Some(language) = language {
                new.language = language.replace('-', "_");
            }
            if let Some(waba) = self.wabas.first() {
                new.waba.clone_from(&waba.id);
            }
            self.templates.push(new);
        }
        let wanted = self.templates.iter_mut().enumerate().filter(|(_, known)| is_wanted(known));
        let before = wanted.map(|(place, known)| {
            let before = known.clone();
            change(known);
            (place, before)
        });
        before.collect()
    }

    fn set_template_status(
        &mut self,
        which: (&str, Option<&str>),
        status: TemplateStatus,
        (event, title): (&str, &str),
        now: Moment,
    ) {
        for (place, template) in self.change_templates(which, |template| template.status = status) {
            let mut value = announcement::template_status(TemplateSpec::id(place), &template, event, title);
            if status == TemplateStatus::Disabled {
                value["disable_info"] = json!({ "disable_date": now.unix_s });
            }
            self.tell(&template.waba, "message_template_status_update", value, now);
        }
    }

    fn set_template_quality(&mut self, which: (&str, Option<&str>), quality: Quality, now: Moment) {
        for (place, template) in self.change_templates(which, |template| template.quality = quality) {
            let mut value = announcement::template(TemplateSpec::id(place), &template);
            value["previous_quality_score"] = json!(template.quality);
            value["new_quality_score"] = json!(quality);
            self.tell(&template.waba, "message_template_quality_update", value, now);
        }
    }

    fn set_template_category(&mut self, which: (&str, Option<&str>), to: Category, impending: bool, now: Moment) {
        const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let scale = self.config.time_scale;
        let change = |template: &mut TemplateSpec| template.category = if impending { template.category } else { to };
        for (place, template) in self.change_templates(which, change) {
            let mut value = announcement::template(TemplateSpec::id(place), &template);
            if impending {
                value["new_category"] = json!(template.category);
                value["correct_category"] = json!(to);
                value["category_update_timestamp"] = (now.unix_s + (A_DAY.as_secs_f64() / scale) as u64).into();
            } else {
                value["previous_category"] = json!(template.category);
                value["new_category"] = json!(to);
            }
            self.tell(&template.waba, "template_category_update", value, now);
        }
    }

    fn set_number_quality(
        &mut self,
        id: &str,
        quality: Option<Quality>,
        level: Option<ThroughputLevel>,
        now: Moment,
    ) -> Result<(), EventError> {
        let number = self.find_number(id).ok_or_else(|| EventError::NoNumber(id.to_owned()))?;
        NumberChange { quality, level, ..NumberChange::default() }.apply(&mut self.numbers[number as usize].spec);
        let limit = announcement::limit(self.messaging_limit(number).limit, LimitForm::Tier);
        // FLAGGED and UNFLAGGED are of old: Meta's page no longer promises them.
        let event = match (level, quality) {
            (Some(ThroughputLevel::High), _) => "THROUGHPUT_UPGRADE",
            (_, Some(Quality::Red)) => "FLAGGED",
            (_, Some(Quality::Green | Quality::Yellow | Quality::Na | Quality::Unknown) | None) => "UNFLAGGED",
        };
        let origin = Arc::clone(&self.numbers[number as usize].origin);
        let value = json!({
            "display_phone_number": origin.display,
            "event": event,
            "current_limit": limit,
            "max_daily_conversations_per_business": limit,
        });
        self.tell(&origin.waba, "phone_number_quality_update", value, now);
        Ok(())
    }

    fn set_limit(&mut self, limit: Option<u32>, form: LimitForm, now: Moment) {
        self.change_messaging_limit(limit);
        let wabas: Vec<String> = self.wabas.iter().map(|waba| waba.id.clone()).collect();
        for waba in wabas {
            let value = json!({
                "max_daily_conversations_per_business": announcement::limit(limit, form),
                "max_phone_numbers_per_business": 25,
            });
            self.tell(&waba, "business_capability_update", value, now);
        }
    }

    fn restrict(
        &mut self,
        waba: Option<&str>,
        restriction: Restriction,
        seconds: Option<f64>,
        now: Moment,
    ) -> Result<(), EventError> {
        if let Some(seconds) = seconds.filter(|seconds| !(0.0..=1e9).contains(seconds)) {
            return Err(EventError::BadSeconds(seconds.to_string()));
        }
        let waba = self.account(waba)?;
        let real_s = seconds.map(|seconds| seconds / self.config.time_scale);
        let until_ns = real_s.map(|real_s| now.at_ns.saturating_add((real_s * 1e9) as u64));
        self.account.restrict(&waba, restriction, until_ns);
        // Rounded up: who waits for the second that the webhook names has waited long enough.
        let until_s = real_s.map(|real_s| now.unix_s + 1 + real_s.ceil() as u64);
        self.tell(&waba, "account_update", announcement::restriction(restriction, until_s), now);
        Ok(())
    }

    fn ban(&mut self, waba: Option<&str>, state: BanState, now: Moment) -> Result<(), EventError> {
        let waba = self.account(waba)?;
        match state {
            BanState::Disable => self.account.ban(&waba),
            BanState::Reinstate => self.account.reinstate(&waba),
            BanState::ScheduleForDisable => {}
        }
        self.tell(&waba, "account_update", announcement::ban(state, now.unix_s), now);
        Ok(())
    }

    fn name_number(
        &mut self,
        id: &str,
        (name, reason): (&str, Option<&str>),
        decision: NameDecision,
        now: Moment,
    ) -> Result<(), EventError> {
        let number = self.find_number(id).ok_or_else(|| EventError::NoNumber(id.to_owned()))?;
        let number = &mut self.numbers[number as usize];
        if decision == NameDecision::Approved {
            name.clone_into(&mut number.verified_name);
        }
        let origin = Arc::clone(&number.origin);
        let value = json!({
            "display_phone_number": origin.display,
            "decision": decision,
            "requested_verified_name": name,
            "rejection_reason": reason,
        });
        self.tell(&origin.waba, "phone_number_name_update", value, now);
        Ok(())
    }

    fn set_preference(
        &mut self,
        number: &str,
        from: &str,
        value: MarketingPreference,
        now: Moment,
    ) -> Result<(), EventError> {
        let place = self.find_number(number).ok_or_else(|| EventError::NoNumber(number.to_owned()))?;
        let person = validate::person(from).ok_or_else(|| EventError::NoPerson(from.to_owned()))?;
        let detail = match value {
            MarketingPreference::Stop => {
                self.account.stop_marketing(person.key());
                "User requested to stop marketing messages"
            }
            MarketingPreference::Resume => {
                self.account.resume_marketing(person.key());
                "User requested to resume marketing messages"
            }
        };
        let origin = Arc::clone(&self.numbers[place as usize].origin);
        let mut preference =
            json!({ "detail": detail, "category": "marketing_messages", "value": value, "timestamp": now.unix_s });
        name_person(&mut preference, &person, "wa_id", "user_id");
        let value = json!({
            "messaging_product": "whatsapp",
            "metadata": metadata(&origin),
            "contacts": [contact(&person)],
            "user_preferences": [preference],
        });
        self.tell(&origin.waba, "user_preferences", value, now);
        Ok(())
    }
}
