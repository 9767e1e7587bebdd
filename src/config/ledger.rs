//! Where the ledger stands.

use std::path::{Path, PathBuf};

use super::SecretSource;
use super::form;
use super::reader::{Reader, Told};

/// Group `ledger`.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// PostgreSQL or SQLite.
    pub url: LedgerUrl,
    /// The schema of our tables in PostgreSQL; never `public`.
    pub schema: String,
    /// Whether somebody said where, or it is the default in `data_dir`.
    pub chosen: Chosen,
}

/// Which ledger, and where.
#[derive(Clone, Debug)]
pub enum LedgerUrl {
    /// The whole URL, with its password; take it anew for each connection.
    Postgres(SecretSource),
    /// A file; its folder may have to be made.
    Sqlite(PathBuf),
}

/// Whether a value was given or follows from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// By the person who configured it.
    Explicitly,
    /// By us.
    ByDefault,
}

/// Key `migrate`: who brings the schema and the broker's topology up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    /// The start of a worker does.
    Auto,
    /// `tidegate migrate` does; the start only checks.
    Check,
}

const URL: &str = "ledger.url";

impl LedgerConfig {
    pub(super) fn read(reader: &mut Reader, data_dir: &Result<PathBuf, Told>) -> Result<Self, Told> {
        let source = reader.secret(URL, check);
        let schema = reader.read("ledger.schema", schema);
        let (url, chosen) = match source? {
            Some(source) => {
                let text = source.current();
                let url = match sqlite_path(text.expose()) {
                    Some(path) => LedgerUrl::Sqlite(path),
                    None => LedgerUrl::Postgres(source),
                };
                reader.show_as(URL, shown(&url), None);
                (url, Chosen::Explicitly)
            }
            None => {
                let url = LedgerUrl::Sqlite(data_dir.as_ref().map_err(|told| *told)?.join("ledger.db"));
                reader.show_as(URL, shown(&url), Some("from data_dir"));
                (url, Chosen::ByDefault)
            }
        };
        Ok(Self { url, schema: schema?, chosen })
    }
}

impl Migrate {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, Told> {
        reader.word("migrate", &[("auto", Self::Auto), ("check", Self::Check)])
    }
}

fn shown(url: &LedgerUrl) -> String {
    match url {
        LedgerUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        LedgerUrl::Postgres(source) => form::host_of(source.current().expose()),
    }
}

fn sqlite_path(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("sqlite:")?;
    Some(Path::new(path.strip_prefix("//").unwrap_or(path)).to_path_buf())
}

fn check(text: &str) -> Result<(), String> {
    if let Some(path) = sqlite_path(text) {
        let path = path.to_string_lossy();
        if path.is_empty() || path.starts_with(':') || path.contains('?') {
            return Err("a path follows sqlite: and nothing else, as in \"sqlite:./ledger.db\"".to_owned());
        }
        return Ok(());
    }
    let allowed = "allowed: \"postgres://user:password@host/database\" or \"sqlite:PATH\"";
    let url = url::Url::parse(text).map_err(|_| allowed.to_owned())?;
    let fits = matches!(url.scheme(), "postgres" | "postgresql");
    fits.then_some(()).ok_or_else(|| allowed.to_owned())
}

fn schema(text: &str) -> Result<String, String> {
    let schema = form::identifier(text)?;
    if schema == "public" || schema.starts_with("pg_") {
        return Err("tables of ours stand in a schema of their own, not in public or pg_…".to_owned());
    }
    Ok(schema)
}
