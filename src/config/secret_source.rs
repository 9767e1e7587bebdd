//! Where a secret is taken from whenever it is needed: a fixed text, or a file that may change under way.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::secret::Secret;

/// Says whether a text can be such a secret, and if not, what is allowed. Must not repeat the text.
pub type Check = fn(&str) -> Result<(), String>;

/// More than any credential has; a larger file was named by mistake.
const LARGEST_FILE: u64 = 64 * 1024;

/// A secret's current value, and word of its changes. Clones see the same.
#[derive(Clone)]
pub struct SecretSource {
    latest: watch::Receiver<Secret>,
    file: Option<Arc<SecretFile>>,
}

struct SecretFile {
    path: PathBuf,
    check: Check,
    sender: watch::Sender<Secret>,
}

impl SecretSource {
    /// A secret that never changes.
    pub fn fixed(text: &str) -> Self {
        let (_, latest) = watch::channel(Secret::new(text));
        Self { latest, file: None }
    }

    /// Reads the file now; later changes come in by [`SecretSource::reread`].
    pub fn from_file(path: &Path, check: Check) -> Result<Self, String> {
        let (sender, latest) = watch::channel(read(path, check)?);
        let file = SecretFile { path: path.to_path_buf(), check, sender };
        Ok(Self { latest, file: Some(Arc::new(file)) })
    }

    /// The secret as it is now.
    pub fn current(&self) -> Secret {
        self.latest.borrow().clone()
    }

    /// Waits for another value than the one this clone last waited for or was made with; for ever if it
    /// can't change. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Secret {
        if self.latest.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.latest.borrow_and_update().clone()
    }

    /// The file, if it is taken from one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_deref().map(|file| file.path.as_path())
    }

    /// Takes what the file holds now. While it can't be read or can't be right, the last value stays.
    pub fn reread(&self) -> Result<Reread, String> {
        let Some(file) = &self.file else {
            return Ok(Reread::Same);
        };
        let secret = read(&file.path, file.check)?;
        let is_new = file.sender.send_if_modified(|latest| {
            let is_new = *latest != secret;
            *latest = secret;
            is_new
        });
        Ok(if is_new { Reread::Changed } else { Reread::Same })
    }
}

/// What a second look at a secret's file found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reread {
    /// The secret that was there before.
    Same,
    /// Another one; everyone who waits for it has been told.
    Changed,
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretSource").field("path", &self.path()).finish_non_exhaustive()
    }
}

fn read(path: &Path, check: Check) -> Result<Secret, String> {
    let unreadable = |cause: std::io::Error| format!("the file can't be read: {cause}");
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST_FILE {
        return Err(format!("the file has {size} bytes: a secret has at most {LARGEST_FILE}"));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let text = text.trim();
    if text.is_empty() {
        return Err("the file is empty".to_owned());
    }
    check(text).map_err(|message| format!("in the file: {message}"))?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(_: &str) -> Result<(), String> {
        Ok(())
    }

    #[tokio::test]
    async fn a_changed_file_is_seen_by_every_clone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let source = SecretSource::from_file(&path, any).unwrap();
        let mut other = source.clone();
        assert_eq!(source.current().expose(), "first");
        assert_eq!(source.reread(), Ok(Reread::Same));
        std::fs::write(&path, "second").unwrap();
        assert_eq!(source.reread(), Ok(Reread::Changed));
        assert_eq!(other.changed().await.expose(), "second");
        assert_eq!(source.current().expose(), "second");
    }

    #[test]
    fn an_emptied_or_lost_file_leaves_the_last_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first").unwrap();
        let source = SecretSource::from_file(&path, any).unwrap();
        std::fs::write(&path, "\n").unwrap();
        assert!(source.reread().is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(source.reread().is_err());
        assert_eq!(source.current().expose(), "first");
    }

    #[test]
    fn debug_shows_the_path_and_not_the_secret() {
        assert!(!format!("{:?}", SecretSource::fixed("EAAcanary")).contains("canary"));
    }
}
