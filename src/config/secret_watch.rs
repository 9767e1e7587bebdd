//! Watches the files of secrets, by notice of the system and by a slow second look.
//!
//! Folders are watched, not files: an editor renames a new file over the old one, and Kubernetes swaps a
//! link beside it; both leave a watch of the file itself on something that is gone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::{info, warn};

use super::secret_source::{Reread, SecretSource};

/// How late a change is seen that the system gave no notice of (network filesystems, links into other folders).
const SECOND_LOOK: Duration = Duration::from_secs(30);

/// Watches as long as it lives.
#[must_use = "secrets are watched only as long as this lives"]
pub struct SecretWatch {
    _watcher: Option<RecommendedWatcher>,
    thread: Option<(SyncSender<Word>, JoinHandle<()>)>,
}

#[derive(Clone, Copy)]
enum Word {
    Look,
    Stop,
}

impl SecretWatch {
    /// Starts a thread that rereads these whenever their folders change. Without any it does nothing.
    pub fn start(sources: Vec<SecretSource>) -> Self {
        if sources.is_empty() {
            return Self { _watcher: None, thread: None };
        }
        // One place: while a look is due, further notices add nothing, and are dropped.
        let (sender, receiver) = sync_channel(1);
        let watcher = watch_folders(&folders(&sources), sender.clone());
        let thread = std::thread::Builder::new()
            .name("secret-files".to_owned())
            .spawn(move || look_until_stopped(&receiver, &sources))
            .inspect_err(|cause| warn!(%cause, "secret files are not watched: no thread could be started"));
        Self { _watcher: watcher, thread: thread.ok().map(|thread| (sender, thread)) }
    }
}

impl Drop for SecretWatch {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.thread.take() {
            // Either fails only if the thread is gone already.
            let _ = sender.send(Word::Stop);
            let _ = thread.join();
        }
    }
}

fn folders(sources: &[SecretSource]) -> BTreeSet<PathBuf> {
    sources
        .iter()
        .filter_map(SecretSource::path)
        .map(|path| match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_path_buf(),
            Some(_) | None => PathBuf::from("."),
        })
        .collect()
}

fn watch_folders(folders: &BTreeSet<PathBuf>, sender: SyncSender<Word>) -> Option<RecommendedWatcher> {
    let told = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading opens the files; to look again for that would never end.
        let is_reading = |kind: &EventKind| matches!(kind, EventKind::Access(access) if *access != AccessKind::Close(AccessMode::Write));
        if !event.is_ok_and(|event| is_reading(&event.kind)) {
            let _ = sender.try_send(Word::Look);
        }
    });
    let late = |cause: &notify::Error| {
        warn!(%cause, "changes of secret files are seen up to {} s late", SECOND_LOOK.as_secs());
    };
    let mut watcher = told.inspect_err(late).ok()?;
    for folder in folders {
        let _ = watcher.watch(folder, RecursiveMode::NonRecursive).inspect_err(late);
    }
    Some(watcher)
}

fn look_until_stopped(receiver: &Receiver<Word>, sources: &[SecretSource]) {
    loop {
        match receiver.recv_timeout(SECOND_LOOK) {
            Ok(Word::Look) | Err(RecvTimeoutError::Timeout) => look(sources),
            Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn look(sources: &[SecretSource]) {
    for source in sources {
        let Some(path) = source.path() else { continue };
        let path = path.display();
        match source.reread() {
            Ok(Reread::Changed) => info!(secret.file = %path, "took a new secret from {path}"),
            Ok(Reread::Same) => {}
            Err(problem) => warn!(secret.file = %path, problem, "kept the last secret of {path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(_: &str) -> Result<(), String> {
        Ok(())
    }

    async fn next(source: &mut SecretSource) -> String {
        let patience = Duration::from_secs(20);
        let secret = tokio::time::timeout(patience, source.changed()).await;
        secret.expect("the change is noticed before the second look").expose().to_owned()
    }

    #[tokio::test]
    async fn a_file_renamed_over_a_secret_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first").unwrap();
        let mut source = SecretSource::from_file(&path, any).unwrap();
        let _watch = SecretWatch::start(vec![source.clone()]);
        for value in ["second", "third"] {
            std::fs::write(folder.path().join("new"), value).unwrap();
            std::fs::rename(folder.path().join("new"), &path).unwrap();
            assert_eq!(next(&mut source).await, value);
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_swapped_link_as_kubernetes_makes_it_is_noticed() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, value) in [("..one", "first"), ("..two", "second")] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::write(at(name).join("token"), value).unwrap();
        }
        symlink("..one", at("..data")).unwrap();
        symlink("..data/token", at("token")).unwrap();
        let mut source = SecretSource::from_file(&at("token"), any).unwrap();
        let _watch = SecretWatch::start(vec![source.clone()]);
        symlink("..two", at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert_eq!(next(&mut source).await, "second");
    }
}
