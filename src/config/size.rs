//! Sizes in bytes, written `64 KiB`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a size looks like \"512 B\", \"64 KiB\", \"16 MiB\" or \"1 GiB\"")]
pub struct ByteSizeError;

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl ByteSize {
    /// So many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// In bytes, for buffers of this process; what does not fit its address space is the largest that does.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let text = text.trim();
        let (digits, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| text.strip_suffix(name).map(|digits| (digits.trim(), *unit)))
            .ok_or(ByteSizeError)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ByteSizeError);
        }
        let count = digits.parse::<u64>().map_err(|_| ByteSizeError)?;
        count.checked_mul(unit).map(Self).ok_or(ByteSizeError)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) =
            UNITS.into_iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit)).unwrap_or(("B", 1));
        write!(f, "{} {name}", self.0 / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_and_written_the_same() {
        for (text, bytes, written) in [
            ("64 KiB", 65_536, "64 KiB"),
            ("16MiB", 16 << 20, "16 MiB"),
            ("1 GiB", 1 << 30, "1 GiB"),
            ("1025 B", 1025, "1025 B"),
            ("0 B", 0, "0 B"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.bytes(), bytes);
            assert_eq!(size.to_string(), written);
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "64", "KiB", "64 KB", "64 kib", "-1 B", "+1 B", "1.5 MiB", "99999999999 GiB"] {
            assert_eq!(text.parse::<ByteSize>(), Err(ByteSizeError), "{text}");
        }
    }
}
