//! Enums that are one of Meta's words each.

/// Makes an enum whose variants are written as these words, in JSON, on a command line and over the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every variant, in the order they are documented.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that Meta uses for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl $name {
            /// The word as the value of `key`, or the error that names the key and every word there is.
            pub(crate) fn read(key: &str, text: &str) -> Result<Self, $crate::sim::key_values::SpecError> {
                Self::ALL.iter().copied().find(|known| known.word().eq_ignore_ascii_case(text)).ok_or_else(|| {
                    let allowed: Vec<_> = Self::ALL.iter().map(|known| known.word()).collect();
                    $crate::sim::key_values::SpecError::bad_value(key, text, &allowed.join(", "))
                })
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::sim::key_values::SpecError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::read(stringify!($name), text)
            }
        }
    };
}
pub(crate) use words;
