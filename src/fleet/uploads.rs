//! Uploads a file once and sends it by its id: what was uploaded is remembered by its content, for each number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::graph::Credential;
use crate::graph::media::{Checksum, Media, MediaError, MediaId, Medium, Upload};
use crate::job::NumberId;
use crate::ledger::{FleetRow, Ledger, LedgerError};

const KIND: &str = "media";
/// Meta keeps a file for 30 days; an id that is given out today may be sent tomorrow.
const WORTH: Duration = Duration::from_secs(29 * 86_400);

/// A file that Meta has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Uploaded {
    /// Meta's id of it.
    pub id: MediaId,
    /// The number that may send it.
    pub number: NumberId,
    /// Its type.
    pub mime_type: String,
    /// Its bytes.
    pub file_size: u64,
    /// Its checksum.
    pub sha256: String,
    /// When Meta got it.
    pub uploaded_at: Timestamp,
    /// Whether it was there already.
    pub cached: bool,
}

/// Why a file is not at Meta's.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It could not be uploaded.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The ledger, which remembers uploads, failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Uploads that are remembered in the ledger.
#[derive(Clone, Debug)]
pub struct Uploads {
    ledger: Ledger,
    media: Media,
}

/// What is remembered of a file.
#[derive(Serialize, Deserialize)]
struct Remembered {
    media_id: MediaId,
    mime_type: String,
    size: u64,
}

impl Uploads {
    /// Through this client.
    pub fn new(ledger: Ledger, media: Media) -> Self {
        Self { ledger, media }
    }

    /// Meta's id of this content for this number: of an upload that is younger than 29 days, or of one made now.
    /// Two at once upload it twice, which costs a request and nothing else.
    pub async fn once(
        &self,
        number: &NumberId,
        credential: &Credential,
        upload: Upload,
        now: Timestamp,
    ) -> Result<Uploaded, UploadError> {
        let checksum = upload.checksum();
        let row = self.ledger.fleet_get(KIND.to_owned(), row_id(number, checksum)).await?;
        // The same bytes under another type are another file to Meta.
        let kept = row.as_ref().filter(|row| now.since(row.read_at) < WORTH).and_then(|row| {
            let kept = Remembered::of(row).filter(|kept| kept.mime_type == upload.mime_type())?;
            Some(Uploaded { cached: true, ..kept.uploaded(number, checksum, row.read_at) })
        });
        match kept {
            Some(kept) => Ok(kept),
            None => self.anew(number, credential, upload, now).await,
        }
    }

    /// The same, whatever is remembered.
    pub async fn anew(
        &self,
        number: &NumberId,
        credential: &Credential,
        upload: Upload,
        now: Timestamp,
    ) -> Result<Uploaded, UploadError> {
        let (mime_type, size) = (upload.mime_type().to_owned(), upload.size());
        let checksum = upload.checksum();
        let id = self.media.upload(number, credential, upload).await?;
        let what = Remembered { media_id: id, mime_type, size };
        // The file is there: that nobody remembers it costs another upload, one day.
        if let Err(error) = self.ledger.fleet_put(vec![what.row(number, checksum, now)]).await {
            tracing::warn!(%error, "an uploaded file could not be noted: it will be uploaded again");
        }
        Ok(what.uploaded(number, checksum, now))
    }

    /// Makes Meta forget a file, and forgets it for whichever of these numbers it was uploaded.
    pub async fn delete(&self, medium: &Medium, of: &[NumberId], credential: &Credential) -> Result<(), UploadError> {
        self.media.delete(&medium.id, None, credential).await?;
        let Some(checksum) = medium.sha256.as_deref().and_then(Checksum::parse) else { return Ok(()) };
        for number in of {
            let row = row_id(number, checksum);
            let kept = self.ledger.fleet_get(KIND.to_owned(), row.clone()).await?;
            if kept.and_then(|row| Remembered::of(&row)).is_some_and(|kept| kept.media_id == medium.id) {
                self.ledger.fleet_forget(KIND.to_owned(), row).await?;
            }
        }
        Ok(())
    }
}

impl Remembered {
    fn of(row: &FleetRow) -> Option<Self> {
        serde_json::from_str(&row.fields).ok()
    }

    fn row(&self, number: &NumberId, checksum: Checksum, now: Timestamp) -> FleetRow {
        FleetRow {
            kind: KIND.to_owned(),
            id: row_id(number, checksum),
            parent: number.to_string(),
            fields: serde_json::to_string(self).expect("texts and a number are JSON"),
            read_at: now,
        }
    }

    fn uploaded(self, number: &NumberId, checksum: Checksum, at: Timestamp) -> Uploaded {
        Uploaded {
            id: self.media_id,
            number: number.clone(),
            mime_type: self.mime_type,
            file_size: self.size,
            sha256: checksum.to_string(),
            uploaded_at: at,
            cached: false,
        }
    }
}

fn row_id(number: &NumberId, checksum: Checksum) -> String {
    format!("{number}/{checksum}")
}
