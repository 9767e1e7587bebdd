//! Holds the source to the map in `src/lib.rs` and to what `clippy` cannot check of our habits.
//!
//! The map is the list under `# Map` in the doc comment of `src/lib.rs`, an entry of one line for each room:
//! "- `worker` uses `graph`, `ledger`", "- `sim` uses nothing", and, for all that do not use nothing,
//! "- everyone uses `clock`". Words after the last name may say why. Code under `#[cfg(test)]` is not looked at,
//! nor is what stands in files `tests.rs` and folders `tests`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// More lines of code in one file are a second idea.
const MOST_LINES: usize = 400;

/// Nobody can tell what belongs in a file of such a name.
const NAMES_OF_NOTHING: [&str; 7] = ["common", "error", "errors", "helpers", "types", "util", "utils"];

/// Crates that only some files may know, and which.
const KEPT_APART: [(&str, &[&str]); 2] =
    [("anyhow", &["main.rs", "app.rs", "app/", "cli/"]), ("backoff", &["worker/retry.rs"])];

/// A file under `src/`.
struct Source {
    /// Below `src/`, with `/`.
    path: String,
    /// As it stands.
    text: String,
    /// Without comments, without what strings hold, without code under `#[cfg(test)]`; empty for a file of tests.
    code: String,
}

/// Which room may use which.
#[derive(Debug, PartialEq, Eq, Default)]
struct Map {
    everyone: BTreeSet<String>,
    rooms: BTreeMap<String, BTreeSet<String>>,
}

#[test]
fn rooms_use_only_what_the_map_allows() {
    let sources = sources();
    let front = sources.iter().find(|source| source.path == "lib.rs").expect("the crate has a lib.rs");
    let map = Map::read(&front.text).unwrap_or_else(|problem| panic!("src/lib.rs: {problem}"));
    complain("the code and the map in src/lib.rs differ: change one of them", map.problems(&sources, &front.code));
}

#[test]
fn the_simulator_uses_nothing_of_ours() {
    let found = sources().into_iter().filter(|source| source.room() == "sim").flat_map(|source| {
        let used = source.uses();
        used.into_iter().map(|room| format!("src/{} uses `{room}`", source.path)).collect::<Vec<_>>()
    });
    complain("one misreading of Meta's documents must not hide in both: write it anew in sim", found.collect());
}

#[test]
fn files_stay_small_enough_for_one_idea() {
    let found = sources().into_iter().filter_map(|source| {
        let lines = lines_of_code(&source.code);
        (lines > MOST_LINES).then(|| format!("src/{} has {lines} lines of code, at most {MOST_LINES}", source.path))
    });
    complain("name the second idea in it and move it to a file of its own", found.collect());
}

#[test]
fn files_say_what_they_are_for() {
    let found = sources().into_iter().filter_map(|source| problem_of_name_or_front(&source.path, &source.text));
    complain(
        "every file has a name that says what belongs in it, and a first line that says what it is for",
        found.collect(),
    );
}

#[test]
fn a_folder_has_its_front_in_mod_rs() {
    let paths: BTreeSet<String> = sources().into_iter().map(|source| source.path).collect();
    complain("a folder's front is its mod.rs", fronts_amiss(&paths));
}

#[test]
fn some_crates_are_known_to_few_files() {
    let found = sources().into_iter().flat_map(|source| strangers(&source)).collect();
    complain("these crates are kept to the files that tests/it/map.rs names", found);
}

fn complain(rule: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("sources are UTF-8");
        let below = path.strip_prefix(&root).expect("found below it").to_string_lossy().replace('\\', "/");
        Source::new(&below, &text)
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|end| end == "rs") {
            paths.push(path);
        }
    }
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let is_of_tests = path.split('/').any(|step| step == "tests" || step == "tests.rs");
        let code = if is_of_tests { String::new() } else { without_tests(&without_comments(text)) };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The room it belongs to; `lib` and `main` are the house.
    fn room(&self) -> &str {
        self.path.split('/').next().map_or("", |first| first.trim_end_matches(".rs"))
    }

    /// How many `super` lead from here to the crate's root.
    fn depth(&self) -> usize {
        let steps = self.path.split('/').count();
        if self.path.ends_with("mod.rs") { steps - 1 } else { steps }
    }

    /// The other rooms that its code names.
    fn uses(&self) -> BTreeSet<String> {
        let tokens = tokens(&self.code);
        let to_root = ["super", "::"].repeat(self.depth());
        let mut found = BTreeSet::new();
        for at in 0..tokens.len() {
            let rest = &tokens[at..];
            let part_of_longer = at > 0 && tokens[at - 1] == "::";
            if part_of_longer {
                continue;
            }
            if rest.starts_with(&["crate", "::"]) {
                named_first(&rest[2..], &mut found);
            } else if rest.starts_with(&to_root) {
                named_first(&rest[to_root.len()..], &mut found);
            }
        }
        found.remove(self.room());
        found
    }
}

/// What a path names first: one word, or every branch of a group in braces.
fn named_first(tokens: &[&str], found: &mut BTreeSet<String>) {
    let Some(first) = tokens.first() else { return };
    if *first != "{" {
        found.insert((*first).to_owned());
        return;
    }
    let (mut depth, mut fresh) = (0_usize, true);
    for token in tokens {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => fresh = true,
            word if depth == 1 && fresh => {
                found.insert(word.to_owned());
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// Words, `::`, and every other character by itself.
fn tokens(code: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        found.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    found
}

impl Map {
    fn read(front: &str) -> Result<Self, String> {
        let lines = front.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim);
        let entries: Vec<&str> = lines
            .skip_while(|line| *line != "# Map")
            .skip(1)
            .take_while(|line| !line.starts_with('#'))
            .filter_map(|line| line.strip_prefix("- "))
            .collect();
        if entries.is_empty() {
            return Err("has no list under `//! # Map`".to_owned());
        }
        let mut map = Self::default();
        for entry in entries {
            let shape = || format!("«{entry}» is neither «`room` uses `room`, …» nor «`room` uses nothing»");
            let (who, whom) = entry.split_once(" uses ").ok_or_else(shape)?;
            let rooms: BTreeSet<String> = whom.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            if rooms.is_empty() != whom.starts_with("nothing") {
                return Err(shape());
            }
            match who.strip_prefix('`').and_then(|who| who.strip_suffix('`')) {
                Some(who) => drop(map.rooms.insert(who.to_owned(), rooms)),
                None if who == "everyone" => map.everyone = rooms,
                None => return Err(shape()),
            }
        }
        Ok(map)
    }

    /// Where code and map differ, either way: a map that allows what nobody does is out of date too.
    fn problems(&self, sources: &[Source], front: &str) -> Vec<String> {
        let declared: BTreeSet<String> = tokens(front)
            .windows(3)
            .filter(|window| window[0] == "mod" && window[2] == ";")
            .map(|window| window[1].to_owned())
            .collect();
        let listed: BTreeSet<String> = self.rooms.keys().cloned().collect();
        let mut found = Vec::new();
        found.extend(declared.difference(&listed).map(|room| format!("room `{room}` is not on the map")));
        found.extend(listed.difference(&declared).map(|room| format!("`{room}` is on the map, but is no room")));
        let mut unused: BTreeSet<(&str, &str)> = BTreeSet::new();
        for (room, uses) in &self.rooms {
            unused.extend(uses.iter().map(|used| (room.as_str(), used.as_str())));
        }
        for source in sources {
            let Some(allowed) = self.rooms.get(source.room()) else { continue };
            for used in source.uses().iter().filter(|used| declared.contains(*used)) {
                unused.retain(|(by, what)| (*by, *what) != (source.room(), used.as_str()));
                let for_everyone = !allowed.is_empty() && self.everyone.contains(used);
                if !allowed.contains(used) && !for_everyone {
                    found.push(format!("src/{} uses `{used}`, which the map does not allow", source.path));
                }
            }
        }
        found.extend(unused.iter().map(|(room, used)| format!("the map lets `{room}` use `{used}`, and it does not")));
        found
    }
}

fn problem_of_name_or_front(path: &str, text: &str) -> Option<String> {
    let stem = path.rsplit('/').next()?.trim_end_matches(".rs");
    if NAMES_OF_NOTHING.contains(&stem) || path.split('/').any(|step| NAMES_OF_NOTHING.contains(&step)) {
        return Some(format!("src/{path}: nobody can tell what belongs in `{stem}`"));
    }
    (!text.starts_with("//! ")).then(|| format!("src/{path} does not begin with a line `//! …`"))
}

fn fronts_amiss(paths: &BTreeSet<String>) -> Vec<String> {
    let folders: BTreeSet<&str> = paths.iter().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
    let missing = folders.iter().filter(|folder| !paths.contains(&format!("{folder}/mod.rs")));
    missing.map(|folder| format!("src/{folder}/ has no mod.rs")).collect()
}

fn strangers(source: &Source) -> Vec<String> {
    let tokens = tokens(&source.code);
    let names = |name: &str| tokens.windows(2).any(|pair| pair == [name, "::"]);
    KEPT_APART
        .iter()
        .filter(|(name, _)| names(name))
        .filter(|(_, homes)| !homes.iter().any(|home| source.path.starts_with(home)))
        .map(|(name, homes)| format!("src/{} uses `{name}`, which is for {}", source.path, homes.join(", ")))
        .collect()
}

fn lines_of_code(code: &str) -> usize {
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

/// Comments become blank, what strings and characters hold becomes `s`; lines stay where they are.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (length, filler) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), ' ')
        } else if rest.starts_with("/*") {
            (block_comment(rest), ' ')
        } else if let Some(length) = literal(rest).filter(|_| !after_word || first == '"') {
            (length, 's')
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.extend(rest[..length].chars().map(|c| if c == '\n' { c } else { filler }));
        rest = &rest[length..];
    }
    code
}

/// How long the block comment is that `text` begins with; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        let step = if rest.starts_with("/*") {
            depth += 1;
            2
        } else if rest.starts_with("*/") {
            depth -= 1;
            2
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// How long the string or character is that `text` begins with, if it begins with one (and not with a lifetime).
fn literal(text: &str) -> Option<usize> {
    let body = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let prefix = text.len() - body.len();
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let open = prefix + 1 + hashes + 1;
        raw[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        return Some(text[open..].find(&close).map_or(text.len(), |end| open + end + close.len()));
    }
    let quote = body.chars().next().filter(|first| ['"', '\''].contains(first))?;
    let inside = &body[1..];
    let is_character = inside.starts_with('\\') || inside.chars().nth(1) == Some('\'');
    if quote == '\'' && !is_character {
        return None;
    }
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        if !escaped && c == quote {
            return Some(prefix + 1 + at + 1);
        }
        escaped = !escaped && c == '\\';
    }
    Some(text.len())
}

/// Leaves out every item under `#[cfg(test)]`. Strings and comments must be gone, so that braces pair up.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..start]);
        let item = &rest[start..];
        let mut depth = 0_usize;
        let end = item.char_indices().skip("#[cfg(test)]".len()).find(|(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && (*c == '}' || *c == ';')
        });
        rest = end.map_or("", |(at, _)| &item[at + 1..]);
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(path: &str, text: &str) -> Vec<String> {
        Source::new(path, text).uses().into_iter().collect()
    }

    #[test]
    fn every_way_to_name_a_room_is_seen() {
        assert_eq!(
            uses("worker/pacer.rs", "use crate::graph::Client;\nfn f() { crate :: ledger::g() }"),
            ["graph", "ledger"]
        );
        assert_eq!(uses("worker/pacer.rs", "use crate::{clock::{Now, Mono}, job, worker::Lane};"), ["clock", "job"]);
        assert_eq!(uses("worker/pacer.rs", "use super::super::sim::Oracle; use super::lane::Lane;"), ["sim"]);
        assert_eq!(uses("worker/mod.rs", "use super::sim; mod lane;"), ["sim"]);
        assert_eq!(uses("clock.rs", "use super::outcome::State;"), ["outcome"]);
    }

    #[test]
    fn words_and_tests_name_no_room() {
        let text = r####"//! See [crate::sim]. /* crate::cli */
/* a /* nested crate::cli */ crate::cli */
fn f<'a>(x: &'a str) -> char { g("\" crate::cli", r#"crate::cli " crate::cli"#, b"crate::cli"); '\'' }
fn h() -> char { '"' } // crate::cli
#[cfg(test)]
#[cfg(test)]
mod tests { use crate::cli; fn g() { let x = '}'; { } } }
#[cfg(test)]
use crate::cli;
fn k() { crate::job::parse() }
"####;
        assert_eq!(uses("worker/pacer.rs", text), ["job"]);
        assert!(uses("worker/tests/pacer.rs", text).is_empty() && uses("worker/tests.rs", text).is_empty());
        assert_eq!(lines_of_code(&Source::new("worker/pacer.rs", text).code), 3);
    }

    #[test]
    fn a_string_of_many_lines_counts_as_code() {
        assert_eq!(lines_of_code(&without_comments("const PAGE: &str = \"a\n  // b\n  c\";\n\n// d\n")), 3);
    }

    #[test]
    fn the_map_is_read_and_held_against_the_code() {
        let front = "//! # Map\n//!\n//! - everyone uses `clock`\n//! - `clock` uses nothing\n//! - `sim` uses nothing\n\
                     //! - `worker` uses `job`, `graph`: it sends\n//! # Next\n//! - no entry\n\
                     pub mod clock; pub mod sim; pub mod worker; pub mod job; pub mod graph;";
        let map = Map::read(front).expect("well-formed");
        let sources = [
            Source::new("sim/mod.rs", "use crate::clock::Now;"),
            Source::new("worker/mod.rs", "use crate::clock::Now; use crate::job::Job; use crate::sim;"),
        ];
        assert_eq!(
            map.problems(&sources, &without_comments(front)),
            [
                "room `graph` is not on the map",
                "room `job` is not on the map",
                "src/sim/mod.rs uses `clock`, which the map does not allow",
                "src/worker/mod.rs uses `sim`, which the map does not allow",
                "the map lets `worker` use `graph`, and it does not",
            ]
        );
    }

    #[test]
    fn a_map_that_cannot_be_read_says_where() {
        assert_eq!(Map::read("//! Front page."), Err("has no list under `//! # Map`".to_owned()));
        for entry in ["`worker` needs `job`", "worker uses `job`", "`worker` uses job"] {
            let problem = Map::read(&format!("//! # Map\n//! - {entry}")).expect_err(entry);
            assert!(problem.starts_with(&format!("«{entry}» is neither")), "{problem}");
        }
    }

    #[test]
    fn names_fronts_and_strangers_are_found() {
        assert!(problem_of_name_or_front("worker/util.rs", "//! Odds.").is_some_and(|p| p.contains("`util`")));
        assert!(problem_of_name_or_front("worker/lane.rs", "use x;").is_some_and(|p| p.contains("`//! …`")));
        assert_eq!(problem_of_name_or_front("worker/lane.rs", "//! A lane."), None);
        let paths = ["a.rs", "a/b.rs", "c/mod.rs", "c/d/e.rs", "c/d/mod.rs"].map(str::to_owned).into();
        assert_eq!(fronts_amiss(&paths), ["src/a/ has no mod.rs"]);
        assert!(strangers(&Source::new("worker/retry.rs", "use backoff::ExponentialBackoff;")).is_empty());
        assert!(strangers(&Source::new("worker/lane.rs", "let backoff = 1; // anyhow::Result")).is_empty());
        assert_eq!(
            strangers(&Source::new("job/mod.rs", "fn f() -> anyhow::Result<()> {}")),
            ["src/job/mod.rs uses `anyhow`, which is for main.rs, app.rs, app/, cli/"]
        );
    }
}
