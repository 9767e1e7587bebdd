//! What a simulated template is: its category and its state, which decide whether it may be sent.

use super::number_spec::DEFAULT_WABA;
use super::number_state::Quality;
use super::words::words;
use serde::{Deserialize, Serialize};

/// One template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateSpec {
    /// Its name.
    pub name: String,
    /// Its language code, as sends write it.
    #[serde(default = "default_language")]
    pub language: String,
    /// Its category.
    #[serde(default = "default_category")]
    pub category: Category,
    /// Its status; only an approved one is sent.
    #[serde(default = "default_template_status")]
    pub status: TemplateStatus,
    /// Parameters of its body, if sends are to be held to it (132000).
    #[serde(default)]
    pub body_parameters: Option<usize>,
    /// What it is made of, as Meta lists it. Sends are not held to it.
    #[serde(default)]
    pub components: Option<serde_json::Value>,
    /// The account it belongs to.
    #[serde(default = "default_template_waba")]
    pub waba: String,
    /// Its quality score. Decides nothing.
    #[serde(default)]
    pub quality: Quality,
}

fn default_language() -> String {
    "en_US".to_owned()
}

fn default_category() -> Category {
    Category::Utility
}

fn default_template_status() -> TemplateStatus {
    TemplateStatus::Approved
}

fn default_template_waba() -> String {
    DEFAULT_WABA.to_owned()
}

impl TemplateSpec {
    /// An approved template in English.
    pub fn new(name: impl Into<String>, category: Category) -> Self {
        Self {
            name: name.into(),
            language: default_language(),
            category,
            status: TemplateStatus::Approved,
            body_parameters: None,
            components: None,
            waba: default_template_waba(),
            quality: Quality::Green,
        }
    }

    /// Meta's id of the template in this place of the list.
    pub(crate) fn id(place: usize) -> u64 {
        9_000_000 + place as u64
    }
}

words! {
    /// What kind of message it is to the price list.
    Category {
        /// Advertising.
        Marketing = "MARKETING",
        /// About something the recipient did.
        Utility = "UTILITY",
        /// One-time passwords.
        Authentication = "AUTHENTICATION",
        /// Free-form, inside the service window.
        Service = "SERVICE",
    }
}

words! {
    /// `status` of a template.
    TemplateStatus {
        /// May be sent.
        Approved = "APPROVED",
        /// Not reviewed yet.
        Pending = "PENDING",
        /// Refused at review.
        Rejected = "REJECTED",
        /// Paused for quality (132015).
        Paused = "PAUSED",
        /// Disabled for good (132016).
        Disabled = "DISABLED",
    }
}

impl TemplateStatus {
    /// The code with which every send of such a template is refused.
    pub(crate) fn refusal(self) -> Option<u32> {
        match self {
            Self::Approved => None,
            Self::Pending | Self::Rejected => Some(132_001),
            Self::Paused => Some(132_015),
            Self::Disabled => Some(132_016),
        }
    }
}

/// What to change of a template while the simulator runs; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateChange {
    /// The new status.
    pub status: Option<TemplateStatus>,
    /// The new category.
    pub category: Option<Category>,
    /// So many parameters its body takes from now on.
    pub body_parameters: Option<usize>,
    /// One more language that it is in, in the form of its first.
    pub add_language: Option<String>,
}

impl TemplateChange {
    /// A change of status.
    pub fn status(status: TemplateStatus) -> Self {
        Self { status: Some(status), ..Self::default() }
    }
}
