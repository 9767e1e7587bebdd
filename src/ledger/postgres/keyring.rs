//! The key under which holds of people go on who were forgotten.

use std::sync::OnceLock;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::desk::Session;
use super::failure::damaged;
use crate::hold::{Cover, Scope};
use crate::ledger::LedgerError;

/// Its row.
const NAME: &str = "erased";

/// The key, once it was read; it never changes.
#[derive(Default)]
pub(super) struct Keyring {
    key: OnceLock<Vec<u8>>,
}

impl Keyring {
    /// Sees to it that there is a key; whoever comes second takes the first one's. Not for a transaction: one that is
    /// undone would take the key away again.
    pub(super) async fn make(&self, session: &Session) -> Result<(), LedgerError> {
        let key: [u8; 32] = rand::random();
        let sql = "INSERT INTO keyring (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        session.execute(sql, &[&NAME, &key.as_slice()]).await?;
        self.read(session).await.map(drop)
    }

    /// The subject under which a recipient's holds stand who was forgotten.
    pub(super) async fn subject(&self, session: &Session, recipient: &str) -> Result<String, LedgerError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.read(session).await?).map_err(damaged)?;
        mac.update(recipient.as_bytes());
        let hash = mac.finalize().into_bytes();
        Ok(hash.iter().fold("erased:".to_owned(), |subject, byte| subject + &format!("{byte:02x}")))
    }

    /// The same cover for a recipient who was forgotten; none for other things.
    pub(super) async fn cover(&self, session: &Session, cover: &Cover) -> Result<Option<Cover>, LedgerError> {
        if cover.scope != Scope::Recipient {
            return Ok(None);
        }
        Ok(Some(Cover { subject: self.subject(session, &cover.subject).await?, ..cover.clone() }))
    }

    async fn read(&self, session: &Session) -> Result<&[u8], LedgerError> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let row = session.query_opt("SELECT value FROM keyring WHERE name = $1", &[&NAME]).await?;
        let row = row.ok_or_else(|| damaged("the key of those who were forgotten is gone"))?;
        let key: Vec<u8> = row.try_get(0)?;
        Ok(self.key.get_or_init(|| key))
    }
}
