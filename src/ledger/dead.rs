//! What makes two dead bodies one.

use sha2::{Digest, Sha256};

use super::Dead;

/// The most of a body that is kept.
const BODY_BYTES: usize = 256 * 1024;

impl Dead {
    /// The same for the same body from the same place with the same reason, however often it comes.
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [self.origin.as_bytes(), self.reason.as_bytes(), self.kept()] {
            // With its length, or parts would run into each other.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// As much of the body as is kept.
    pub(super) fn kept(&self) -> &[u8] {
        &self.body[..self.body.len().min(BODY_BYTES)]
    }
}
