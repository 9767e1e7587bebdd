//! A file on its way to Meta: looked at and summed up once, then sent from where it lies.

use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use reqwest::multipart::{Form, Part};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{Checksum, MediaError, kind};

const CHUNK: usize = 64 * 1024;

/// A file that WhatsApp takes, by its type and size. One on disk is never in memory as a whole.
#[derive(Debug)]
pub struct Upload {
    filename: String,
    mime_type: String,
    size: u64,
    checksum: Checksum,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Bytes(Bytes),
    File { file: File, seen: Seen },
}

/// How a file looked when it was summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    size: u64,
    /// None where the file system does not know.
    modified: Option<SystemTime>,
}

/// What was sent from disk, to be looked at once more.
pub(super) struct Sent(Option<(File, Seen)>);

impl Upload {
    /// Of bytes; their type is known by the name, unless it is given.
    pub fn of_bytes(bytes: Bytes, mime_type: Option<&str>, filename: &str) -> Result<Self, MediaError> {
        let mime_type = type_of(mime_type, filename)?;
        let size = bytes.len() as u64;
        kind::check(&mime_type, size)?;
        kind::check_head(&mime_type, size, &bytes[..bytes.len().min(kind::HEAD)])?;
        let checksum = Checksum::of(&bytes);
        Ok(Self { filename: filename.to_owned(), mime_type, size, checksum, content: Content::Bytes(bytes) })
    }

    /// Of a file on disk; its type is known by its name, unless it is given.
    pub async fn of_file(path: &Path, mime_type: Option<&str>) -> Result<Self, MediaError> {
        let filename = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mime_type = type_of(mime_type, &filename)?;
        let mut file = File::open(path).await.map_err(MediaError::Read)?;
        let seen = Seen::of(&file).await?;
        kind::check(&mime_type, seen.size)?;
        let (checksum, head) = sum_up(&mut file, seen.size).await?;
        kind::check_head(&mime_type, seen.size, &head)?;
        file.rewind().await.map_err(MediaError::Read)?;
        Ok(Self { filename, mime_type, size: seen.size, checksum, content: Content::File { file, seen } })
    }

    /// Its type.
    pub fn mime_type(&self) -> &str {
        &self.mime_type
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What tells its content from any other.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// The form that Meta wants, and what to look at when it was sent.
    pub(super) async fn into_form(self) -> Result<(Form, Sent), MediaError> {
        let (part, sent) = match self.content {
            Content::Bytes(bytes) => (Part::stream_with_length(bytes, self.size), Sent(None)),
            Content::File { file, seen } => {
                let again = file.try_clone().await.map_err(MediaError::Read)?;
                (Part::stream_with_length(file, seen.size), Sent(Some((again, seen))))
            }
        };
        let refused = |_| MediaError::TypeRefused { given: self.mime_type.clone() };
        let part = part.file_name(self.filename).mime_str(&self.mime_type).map_err(refused)?;
        let form = Form::new().text("messaging_product", "whatsapp").text("type", self.mime_type).part("file", part);
        Ok((form, sent))
    }
}

impl Sent {
    /// A file that others wrote to meanwhile is not what its checksum says.
    pub async fn check_unchanged(&self) -> Result<(), MediaError> {
        match &self.0 {
            Some((file, seen)) if Seen::of(file).await? != *seen => Err(CHANGED),
            Some(_) | None => Ok(()),
        }
    }
}

const CHANGED: MediaError = MediaError::NoFile("the file changed while it was uploaded: upload it again");

impl Seen {
    async fn of(file: &File) -> Result<Self, MediaError> {
        let metadata = file.metadata().await.map_err(MediaError::Read)?;
        if !metadata.is_file() {
            return Err(MediaError::NoFile("that is no regular file"));
        }
        Ok(Self { size: metadata.len(), modified: metadata.modified().ok() })
    }
}

fn type_of(given: Option<&str>, filename: &str) -> Result<String, MediaError> {
    let known = given.or_else(|| kind::mime_type_of(filename));
    known.map(str::to_owned).ok_or_else(|| MediaError::TypeUnknown(filename.to_owned()))
}

/// A file's checksum and first bytes, in one pass.
async fn sum_up(file: &mut File, size: u64) -> Result<(Checksum, Vec<u8>), MediaError> {
    let mut hasher = Sha256::new();
    let mut head = Vec::new();
    let mut buffer = vec![0; CHUNK];
    let mut seen = 0;
    loop {
        let length = file.read(&mut buffer).await.map_err(MediaError::Read)?;
        if length == 0 {
            break;
        }
        let chunk = &buffer[..length];
        head.extend(chunk.iter().take(kind::HEAD - head.len().min(kind::HEAD)));
        hasher.update(chunk);
        seen += length as u64;
        // Others may go on writing for ever.
        if seen > size {
            return Err(CHANGED);
        }
    }
    if seen == size { Ok((hasher.into(), head)) } else { Err(CHANGED) }
}
