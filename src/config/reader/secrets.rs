//! Secrets: given as text, or as a file that is read now and watched later.

use std::path::{Path, PathBuf};

use super::super::secret_source::{Check, SecretSource};
use super::super::show::Setting;
use super::given::Given;
use super::{Reader, Told};

/// What is shown for a secret that is set.
const HIDDEN: &str = "***";

impl Reader {
    /// A secret of `key`, or of the file that `key_file` names: of the two the one of the higher layer.
    pub fn secret(&mut self, key: &str, check: Check) -> Result<Option<SecretSource>, Told> {
        let file_key = format!("{key}_file");
        let (given, file) = (self.given(key), self.given(&file_key));
        let (given, file) = (given?, file?);
        let text = self.show_secret(&given)?;
        let path = self.show_path(&file)?;
        let (text, path) = match (text, path) {
            (Some(text), Some(path)) => match (layer(&given), layer(&file)) {
                (of_text, of_file) if of_text > of_file => (Some(text), None),
                (of_text, of_file) if of_text < of_file => (None, Some(path)),
                _ => {
                    return Err(self.refuse_secret(&given, format!("give either {key} or {file_key}, not both")));
                }
            },
            either => either,
        };
        if let Some(path) = path {
            let source = SecretSource::from_file(&path, check).map_err(|message| self.refuse(&file, message))?;
            self.watched.push(source.clone());
            self.show_as(key, HIDDEN.to_owned(), file.origin.as_ref().map(|origin| origin.text.as_str()));
            return Ok(Some(source));
        }
        let Some(text) = text else { return Ok(None) };
        check(&text).map_err(|message| self.refuse_secret(&given, message))?;
        Ok(Some(SecretSource::fixed(&text)))
    }

    /// A file that must be there and readable.
    pub fn file(&mut self, key: &str) -> Result<Option<PathBuf>, Told> {
        self.read_optional(key, |text| match std::fs::File::open(text) {
            Ok(_) => Ok(PathBuf::from(text)),
            Err(cause) => Err(format!("the file can't be read: {cause}")),
        })
    }

    fn show_secret(&mut self, given: &Given) -> Result<Option<String>, Told> {
        let text = if given.is_empty() { None } else { Some(given.texts_joined()) };
        let shown = if text.is_some() { HIDDEN.to_owned() } else { String::new() };
        self.settings.push(Setting::new(&given.key, shown, given.origin.clone()));
        match text {
            Some(None) => Err(self.refuse_secret(given, "a text is expected".to_owned())),
            Some(text) => Ok(text),
            None => Ok(None),
        }
    }

    fn show_path(&mut self, given: &Given) -> Result<Option<PathBuf>, Told> {
        if given.is_empty() {
            self.settings.push(Setting::new(&given.key, String::new(), given.origin.clone()));
            return Ok(None);
        }
        self.parse(given, |text| Ok(Some(Path::new(text).to_path_buf())))
    }

    fn refuse_secret(&mut self, given: &Given, message: String) -> Told {
        self.refuse(given, message);
        if let Some(problem) = self.problems.last_mut() {
            problem.value = None;
        }
        Told
    }
}

fn layer(given: &Given) -> Option<super::super::layers::Layer> {
    given.origin.as_ref().map(|origin| origin.layer)
}

impl Given {
    /// A list of secrets, as of brokers' URLs, is one secret with commas.
    fn texts_joined(&self) -> Option<String> {
        match self.text() {
            Some(text) => Some(text.trim().to_owned()),
            None => self.texts().map(|texts| texts.join(",")),
        }
    }
}
