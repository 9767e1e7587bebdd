//! Where a value came from.

/// The layers, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// `config/default.toml`.
    Default,
    /// A name of others, as `AMQP_URL`, in `.env`.
    ForeignDotEnv,
    /// A name of others in the environment.
    Foreign,
    /// The configuration file.
    File,
    /// One of our names in `.env`.
    DotEnv,
    /// One of our names in the environment.
    Environment,
    /// The command line.
    Flag,
}

const ALL: [Layer; 7] =
    [Layer::Default, Layer::ForeignDotEnv, Layer::Foreign, Layer::File, Layer::DotEnv, Layer::Environment, Layer::Flag];

/// A layer, and the place in it that a person can go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which layer.
    pub layer: Layer,
    /// As `config/my.toml:7` or `environment TIDEGATE_QUEUE__URL`.
    pub text: String,
}

impl Origin {
    /// As the layering library carries it, which knows one string only: a digit for the layer, then the text.
    pub fn encode(&self) -> String {
        format!("{}{}", self.layer as u8, self.text)
    }

    /// The inverse of [`Origin::encode`].
    pub fn decode(encoded: &str) -> Option<Self> {
        let digit = encoded.chars().next()?.to_digit(10)?;
        let layer = *ALL.get(usize::try_from(digit).ok()?)?;
        Some(Self { layer, text: encoded[1..].to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_the_layering_library() {
        for layer in ALL {
            let origin = Origin { layer, text: "config/my.toml:7".into() };
            assert_eq!(Origin::decode(&origin.encode()), Some(origin));
        }
        assert_eq!(Origin::decode(""), None);
    }
}
