//! `tidegate media upload`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::sender::sender;
use crate::cli::wording::{relative, say};
use crate::clock;
use crate::fleet::{self, Uploads};
use crate::graph::media;
use crate::job::From;

/// Flags of `tidegate media upload`.
#[derive(Args, Debug)]
pub struct Upload {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The number that will send it: Meta's id, or its display number; may be left out where there is only one
    #[arg(long, value_name = "NUMBER")]
    number: Option<From>,
    /// Its type, as image/jpeg; else by the end of its name
    #[arg(long = "type", value_name = "MIME")]
    mime_type: Option<String>,
    /// Upload it even if Meta has it already
    #[arg(long)]
    again: bool,
}

impl Upload {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = context.config()?;
        let shown = self.file.display();
        let upload = media::Upload::of_file(&self.file, self.mime_type.as_deref());
        let upload = upload.await.with_context(|| format!("{shown}"))?;
        let ledger = context.ledger_or_new(&config).await?;
        let number = sender(self.number.as_ref(), &config, &ledger).await?;
        let uploads = Uploads::new(ledger, fleet::media(&config)?);
        let now = clock::now().wall;
        let uploaded = if self.again {
            uploads.anew(&number.id, &number.credential, upload, now).await
        } else {
            uploads.once(&number.id, &number.credential, upload, now).await
        };
        let uploaded = uploaded.with_context(|| format!("{shown}"))?;
        context.output.one(&uploaded, || uploaded.id.to_string())?;
        say(if uploaded.cached {
            format!(
                "{shown} was uploaded {} for number {}: this is its id",
                relative(uploaded.uploaded_at, now),
                number.id
            )
        } else {
            format!("{shown} is uploaded for number {}; Meta keeps it for 30 days", number.id)
        });
        Ok(Exit::Done)
    }
}
