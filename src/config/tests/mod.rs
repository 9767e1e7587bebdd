//! The configuration as a whole: layers, samples, and every way to get it wrong.

mod broken;
mod layering;
mod samples;
mod secrets;

use std::collections::BTreeMap;

use super::{Config, ConfigError, Sources};

/// Sources of a file's text and of variables; the folder must live as long as they are used.
struct Bench {
    folder: tempfile::TempDir,
    sources: Sources,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), sources: Sources::default() }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn file(mut self, text: &str) -> Self {
        self.sources.file = Some(self.write("my.toml", text).into());
        self
    }

    fn dotenv(mut self, text: &str) -> Self {
        self.sources.dotenv = Some(self.write(".env", text).into());
        self
    }

    fn env(mut self, variables: &[(&str, &str)]) -> Self {
        self.sources.env = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        self
    }

    fn flags(mut self, flags: &[(&str, &str)]) -> Self {
        self.sources.overrides = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.sources.clone())
    }

    /// Loads, and gives each key's value and origin as shown; the folder's path is taken out.
    fn shown(&self) -> BTreeMap<String, (String, String)> {
        let config = self.load().unwrap_or_else(|error| panic!("{error}"));
        let folder = format!("{}/", self.folder.path().display());
        let rows = config.show().iter();
        rows.map(|row| (row.key.clone(), (row.value.replace(&folder, ""), row.origin.replace(&folder, "")))).collect()
    }

    fn problems(&self) -> String {
        let error = self.load().expect_err("this configuration is refused");
        error.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}
