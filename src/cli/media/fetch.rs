//! `tidegate media fetch`.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::io::AsyncWrite;

use super::Named;
use crate::cli::ask::agreed;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::progress::Progress;
use crate::cli::wording::{Count, say};
use crate::config::ByteSize;
use crate::fleet;
use crate::graph::Credential;
use crate::graph::media::{LARGEST, Media, Medium, ending_of};

/// Flags of `tidegate media fetch`.
#[derive(Args, Debug)]
pub struct Fetch {
    #[command(flatten)]
    named: Named,
    /// Where to put it (- for stdout); else a file of its id and type, here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Give up on a larger one
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize::new(LARGEST))]
    max_size: ByteSize,
}

#[derive(Serialize)]
struct Fetched<'a> {
    id: &'a str,
    file: &'a Path,
    mime_type: &'a str,
    file_size: u64,
    sha256: Option<&'a str>,
}

/// Counts what passes.
struct Counting<Out> {
    out: Out,
    bytes: u64,
    progress: Progress,
}

impl<Out: AsyncWrite + Unpin> AsyncWrite for Counting<Out> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.out).poll_write(cx, bytes))?;
        self.bytes += written as u64;
        let reached = self.bytes;
        self.progress.reach(reached);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.out).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.out).poll_shutdown(cx)
    }
}

/// A file that is looked up and to be fetched.
struct Order<'a> {
    client: &'a Media,
    medium: &'a Medium,
    credential: &'a Credential,
    most: u64,
}

impl Fetch {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let ledger = context.ledger_or_new(&config).await?;
        let owner = self.named.owner(&config, &ledger).await?;
        let client = fleet::media(&config)?;
        let medium = self.named.look_up(&client, &owner).await?;
        let order =
            Order { client: &client, medium: &medium, credential: &owner.credential, most: self.max_size.bytes() };
        let out = self.out.unwrap_or_else(|| name_of(&medium));
        if out == Path::new("-") {
            order.fetch(tokio::io::stdout()).await?;
            return Ok(Exit::Done);
        }
        let question = format!("{} is there already. Overwrite it?", out.display());
        let is_there = out.exists();
        if is_there && !agreed(&question, context.yes)? {
            say("nothing was fetched");
            return Ok(Exit::Failed);
        }
        let file_size = order.fetch_to(&out, is_there).await?;
        let fetched = Fetched {
            id: medium.id.as_str(),
            file: &out,
            mime_type: &medium.mime_type,
            file_size,
            sha256: medium.sha256.as_deref(),
        };
        context.output.one(&fetched, || out.display().to_string())?;
        say(format_args!("{}: {} bytes", medium.mime_type, Count(file_size)));
        Ok(Exit::Done)
    }
}

impl Order<'_> {
    /// Writes it out; says how many bytes it has.
    async fn fetch<Out: AsyncWrite + Unpin>(&self, out: Out) -> anyhow::Result<u64> {
        let progress = Progress::new("bytes fetched", self.medium.file_size);
        let mut out = Counting { out, bytes: 0, progress };
        let fetched = self.client.download(self.medium, self.credential, self.most, &mut out).await;
        out.progress.end();
        fetched.with_context(|| format!("file {}", self.medium.id))?;
        Ok(out.bytes)
    }

    /// Nothing stands under the name until the file is whole.
    async fn fetch_to(&self, path: &Path, overwrite: bool) -> anyhow::Result<u64> {
        let unwritable = || format!("{} can't be written", path.display());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let part = NamedTempFile::new_in(folder).with_context(unwritable)?;
        let file = part.reopen().with_context(unwritable)?;
        let bytes = self.fetch(tokio::fs::File::from_std(file)).await?;
        let put = if overwrite { part.persist(path) } else { part.persist_noclobber(path) };
        put.map_err(|refused| anyhow!(refused.error).context(unwritable()))?;
        Ok(bytes)
    }
}

fn name_of(medium: &Medium) -> PathBuf {
    match ending_of(&medium.mime_type) {
        Some(ending) => format!("{}.{ending}", medium.id).into(),
        None => medium.id.as_str().into(),
    }
}
