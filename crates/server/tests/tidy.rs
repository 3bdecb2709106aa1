//! The conventions that no compiler and no lint holds: layering, vendors' words, SQL, the clock, documented and short
//! modules, and no path of anybody's machine. Each finding names file, line and reason.
//!
//! It reads source text, not syntax: a small lexer tells strings from comments and code, and that is all it knows. The
//! last module plants a violation of each rule and expects it to be found.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Which crates of the workspace each may depend on. Imports point upward in this list only.
const LAYERS: [(&str, &[&str]); 5] = [
    ("sets", &[]),
    ("store", &["sets"]),
    ("domain", &["store", "sets"]),
    ("dialects", &["domain"]),
    ("server", &["dialects", "domain", "store", "sets"]),
];
/// Crates that know of no vendor.
const VENDOR_FREE: [&str; 3] = ["sets", "store", "domain"];
/// Found anywhere in a word, in any letter case.
const VENDORS: [&str; 4] = ["criteo", "thrive", "opendatasoft", "sunshine"];
/// Too short to be looked for inside other words.
const VENDORS_AS_WORDS: [&str; 1] = ["a2"];
/// The crate that SQL lives in.
const SQL_HOME: &str = "store";
/// The file that reads the clock.
const CLOCK_HOME: &str = "crates/domain/src/clock.rs";
/// The file that may be unsafe, and the one that lets it.
const UNSAFE_HOME: &str = "crates/sets/src/machine.rs";
const UNSAFE_LET_IN: &str = "crates/sets/src/lib.rs";
const LINES_MAX: usize = 700;

/// A text file of the repository: its path from the root, with slashes, and what is in it.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The crate whose `src` this is, if it is Rust.
    fn crate_src(&self) -> Option<&str> {
        let (name, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        (rest.starts_with("src/") && rest.ends_with(".rs")).then_some(name)
    }

    fn is_rust_of_a_crate(&self) -> bool {
        self.path.starts_with("crates/") && self.path.ends_with(".rs")
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    fn finding(&self, line: usize, reason: &str) -> String {
        format!("{}:{line}: {reason}", self.path)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file that git tracks or would add; outside a clone, every file but what is built.
fn sources() -> Vec<Source> {
    let root = root();
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(&root)
        .output();
    let paths: Vec<String> = match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split_terminator('\0')
            .map(str::to_owned)
            .collect(),
        _ => {
            let mut found = Vec::new();
            walk(&root, "", &mut found);
            found
        }
    };
    let sources: Vec<Source> = paths
        .into_iter()
        // A file may be deleted and not yet committed so; one that is not UTF-8 is not text.
        .filter_map(|path| {
            fs::read_to_string(root.join(&path))
                .ok()
                .map(|text| Source { path, text })
        })
        .collect();
    assert!(
        sources.iter().any(|source| source.path == CLOCK_HOME),
        "the repository was not found: {} files, and no {CLOCK_HOME}",
        sources.len()
    );
    sources
}

fn walk(root: &Path, folder: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder {
            found.push(path);
        } else if ![".git", ".venv", "target", "dist", "__pycache__"].contains(&name.as_str()) {
            walk(root, &path, found);
        }
    }
}

/// Runs one rule over the repository and fails with all that it found.
fn hold(rule: fn(&Source) -> Vec<String>) {
    let findings: Vec<String> = sources().iter().flat_map(rule).collect();
    let list = findings.iter().fold(String::new(), |mut list, finding| {
        let _ = writeln!(list, "  {finding}");
        list
    });
    assert!(findings.is_empty(), "{} findings:\n{list}", findings.len());
}

#[test]
fn crates_depend_upward_only() {
    hold(wrong_dependencies);
}

#[test]
fn vendors_are_named_in_dialects_only() {
    hold(vendor_words);
}

#[test]
fn sql_is_in_the_store_only() {
    hold(sql_outside_the_store);
}

#[test]
fn the_clock_is_read_in_one_place() {
    hold(other_clocks);
}

#[test]
fn lints_are_expected_and_not_allowed() {
    hold(allowed_lints);
}

#[test]
fn one_file_is_unsafe() {
    hold(unsafe_elsewhere);
}

#[test]
fn modules_say_what_they_are() {
    hold(undocumented_modules);
}

#[test]
fn files_are_short() {
    hold(long_files);
}

#[test]
fn no_file_names_a_path_of_a_machine() {
    hold(machine_paths);
}

fn wrong_dependencies(source: &Source) -> Vec<String> {
    let Some((name, allowed)) = LAYERS
        .iter()
        .find(|(name, _)| source.path == format!("crates/{name}/Cargo.toml"))
    else {
        return Vec::new();
    };
    let mut section = String::new();
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        let line = line.trim();
        let dependency = if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']').to_owned();
            // `[dependencies.store]` and `[target.'...'.dependencies.store]` name it in the header.
            section
                .rsplit_once("dependencies.")
                .map(|(_, name)| name.to_owned())
        } else if section.ends_with("dependencies") {
            line.split(['.', '=', ' ']).next().map(str::to_owned)
        } else {
            None
        };
        let Some(dependency) = dependency else {
            continue;
        };
        let dependency = dependency.trim_matches(['"', '\'']);
        let known = dependency.strip_prefix("throng-").unwrap_or(dependency);
        // A test may set its scene with any crate above.
        let above = section.contains("dev-dependencies") && position(known) < position(name);
        if position(known).is_some() && !above && !allowed.contains(&known) {
            findings.push(source.finding(
                number,
                &format!("{name} may not depend on {known}: imports point upward, to {allowed:?}"),
            ));
        }
    }
    findings
}

/// How far down a crate is; none for one that is not the workspace's.
fn position(name: &str) -> Option<usize> {
    LAYERS.iter().position(|(layer, _)| *layer == name)
}

fn vendor_words(source: &Source) -> Vec<String> {
    if !source
        .crate_src()
        .is_some_and(|name| VENDOR_FREE.contains(&name))
    {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        let folded = line.to_ascii_lowercase();
        let vendor = VENDORS
            .iter()
            .find(|word| folded.contains(**word))
            .or_else(|| {
                VENDORS_AS_WORDS
                    .iter()
                    .find(|vendor| words(&folded).any(|word| word == **vendor))
            });
        if let Some(vendor) = vendor {
            findings.push(source.finding(
                number,
                &format!(
                    "the word {vendor:?}: what a vendor says stays in its folder of crates/dialects"
                ),
            ));
        }
    }
    findings
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
}

fn sql_outside_the_store(source: &Source) -> Vec<String> {
    if source.crate_src().is_none_or(|name| name == SQL_HOME) {
        return Vec::new();
    }
    string_literals(&source.text)
        .into_iter()
        .filter_map(|(number, literal)| {
            let statement = sql_statement(&literal)?;
            Some(source.finding(
                number,
                &format!("{statement} in a string: SQL lives in crates/{SQL_HOME}/src"),
            ))
        })
        .collect()
}

/// The statement that a string seems to hold. Upper-case SELECT is enough; otherwise two key words must meet, so that
/// "select an engine" in a help text passes.
fn sql_statement(literal: &str) -> Option<&'static str> {
    let folded = literal
        .to_ascii_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let spaced = format!(" {folded} ");
    let both = |first: &str, second: &str| {
        spaced
            .find(first)
            .is_some_and(|at| spaced[at + first.len() - 1..].contains(second))
    };
    if literal.split_whitespace().any(|word| word == "SELECT") || both(" select ", " from ") {
        Some("SELECT")
    } else if spaced.contains(" insert into ") {
        Some("INSERT")
    } else if both(" update ", " set ") {
        Some("UPDATE")
    } else if spaced.contains(" delete from ") {
        Some("DELETE")
    } else {
        None
    }
}

fn other_clocks(source: &Source) -> Vec<String> {
    if source.path == CLOCK_HOME || source.crate_src().is_none() {
        return Vec::new();
    }
    let call = ["SystemTime", "now"].join("::");
    source
        .lines()
        .filter(|(_, line)| line.contains(&call))
        .map(|(number, _)| {
            source.finding(
                number,
                &format!("{call}: take the time as a value; {CLOCK_HOME} alone reads the clock"),
            )
        })
        .collect()
}

fn allowed_lints(source: &Source) -> Vec<String> {
    if !source.is_rust_of_a_crate() {
        return Vec::new();
    }
    let attributes = [["#", "[allow("].concat(), ["#!", "[allow("].concat()];
    source
        .lines()
        .filter(|(_, line)| {
            attributes
                .iter()
                .any(|attribute| line.contains(attribute.as_str()))
        })
        .map(|(number, _)| {
            source.finding(
                number,
                "an allowed lint: mend the cause, or #[expect(..., reason = \"...\")]",
            )
        })
        .collect()
}

/// The lint forbids it in all crates but one; that it is one file there is held here, by who may lift the lint.
fn unsafe_elsewhere(source: &Source) -> Vec<String> {
    if !source.is_rust_of_a_crate() {
        return Vec::new();
    }
    let key_word = ["un", "safe"].concat();
    let lint = format!("{key_word}_code");
    source
        .lines()
        .filter(|(_, line)| {
            let code = line.split("//").next().unwrap_or_default();
            (code.contains(&lint) && source.path != UNSAFE_LET_IN)
                || (words(code).any(|word| word == key_word) && source.path != UNSAFE_HOME)
        })
        .map(|(number, _)| {
            source.finding(
                number,
                &format!("{key_word}: such code lives in {UNSAFE_HOME}"),
            )
        })
        .collect()
}

fn undocumented_modules(source: &Source) -> Vec<String> {
    let opens = |text: &str| {
        text.lines()
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.starts_with("//!"))
    };
    if source.crate_src().is_none() || opens(&source.text) {
        return Vec::new();
    }
    vec![source.finding(
        1,
        "a module opens with //! and what it is, what it is not, and its invariant",
    )]
}

fn long_files(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if source.crate_src().is_none() || lines <= LINES_MAX {
        return Vec::new();
    }
    vec![source.finding(
        LINES_MAX + 1,
        &format!("{lines} lines: a file has at most {LINES_MAX}; which two ideas are in it?"),
    )]
}

fn machine_paths(source: &Source) -> Vec<String> {
    let folders = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat()];
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        for folder in &folders {
            // Absolute ones only: `src/` before it makes it a folder of the repository, `$ROOT` or `~` nobody's.
            let absolute = line.match_indices(folder.as_str()).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                before.is_none_or(|character| {
                    !character.is_alphanumeric() && !"._-~}*$".contains(character)
                })
            });
            if absolute {
                findings.push(source.finding(
                    number,
                    &format!("{folder}: a path of one machine means nothing on another"),
                ));
            }
        }
    }
    findings
}

/// The string literals of Rust source, raw and byte strings among them, each with the line that it starts on; comments
/// and character literals are skipped. Escapes are left as they are, but for the end of a line that one joins.
fn string_literals(text: &str) -> Vec<(usize, String)> {
    let bytes = text.as_bytes();
    let mut literals = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let rest = &text[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(hashes) = raw_string_start(rest, bytes[..at].last().copied()) {
            let open = rest.find('"').unwrap_or(0) + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            let length = rest[open..].find(&end).unwrap_or(rest.len() - open);
            literals.push((line, rest[open..open + length].to_owned()));
            (open + length + end.len()).min(rest.len())
        } else if let Some(inside) = rest.strip_prefix('"') {
            let length = escaped_length(inside, b'"');
            literals.push((line, inside[..length].replace("\\\n", " ")));
            (length + 2).min(rest.len())
        } else if let Some(inside) = rest.strip_prefix('\'') {
            1 + character_or_lifetime(inside)
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        line += rest[..skipped].matches('\n').count();
        at += skipped;
    }
    literals
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    let bytes = text.as_bytes();
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The number of hashes when a raw string starts here: `r"`, `br#"`; `before` tells it from the end of a name.
fn raw_string_start(text: &str, before: Option<u8>) -> Option<usize> {
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let after = ["br", "cr", "r"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// How many bytes come before the end of a literal whose escapes start with a backslash.
fn escaped_length(text: &str, end: u8) -> usize {
    let mut escaped = false;
    text.bytes()
        .position(|byte| {
            let ends = byte == end && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })
        .unwrap_or(text.len())
}

/// What follows a quote: the length of the rest of `'x'`, `'\n'` or `'\u{1F600}'`; nothing after the quote of a lifetime.
fn character_or_lifetime(inside: &str) -> usize {
    if inside.starts_with('\\') {
        return (escaped_length(inside, b'\'') + 1).min(inside.len());
    }
    let width = inside.chars().next().map_or(0, char::len_utf8);
    if inside[width..].starts_with('\'') {
        width + 1
    } else {
        0
    }
}

mod planted {
    //! A rule that finds nothing is worth nothing until it has found something.

    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn found(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
        rule(&source(path, text))
            .into_iter()
            .map(|finding| finding.splitn(3, ':').take(2).collect::<Vec<_>>().join(":"))
            .collect()
    }

    #[test]
    fn a_dependency_downward() {
        let path = "crates/store/Cargo.toml";
        let wrong = "[package]\nname = \"throng-store\"\n[dependencies]\nsets.workspace = true\ndomain.workspace = true\n\
            [dev-dependencies]\ndialects = { path = \"../dialects\" }\n[dependencies.server]\npath = \"../server\"\n\
            [target.'cfg(unix)'.dependencies]\n\"throng-domain\" = \"1\"\n";
        assert_eq!(
            found(wrong_dependencies, path, wrong),
            [5, 7, 8, 11].map(|line| format!("{path}:{line}"))
        );
        let right = "[dependencies]\nsets.workspace = true\n[features]\ndomain = []\n";
        assert!(found(wrong_dependencies, path, right).is_empty());
        let test_only = "[dev-dependencies]\nstore.workspace = true\nserver.workspace = true\n";
        let path = "crates/dialects/Cargo.toml";
        assert_eq!(
            found(wrong_dependencies, path, test_only),
            [format!("{path}:3")]
        );
        assert_eq!(
            found(wrong_dependencies, "crates/domain/Cargo.toml", wrong).len(),
            4
        );
    }

    #[test]
    fn a_vendors_word() {
        let text = "//! x\nstruct CriteoClient;\nlet a2 = 1;\nlet a20 = 0xa2;\n// Sunshine\nlet drive = 1;\n";
        let path = "crates/domain/src/x.rs";
        assert_eq!(
            found(vendor_words, path, text),
            [2, 3, 5].map(|line| format!("{path}:{line}"))
        );
        assert!(found(vendor_words, "crates/dialects/src/x.rs", text).is_empty());
    }

    #[test]
    fn sql_in_a_string() {
        let path = "crates/domain/src/x.rs";
        let wrong = [
            "\"SELECT 1\"",
            "\"select x\\\n  from y\"",
            "r#\"insert into t values (\"x\")\"#",
            "b\"update t set x = 1\"",
            "\"Delete From t\"",
        ];
        for literal in wrong {
            let text = format!("//! x\nfn f<'a>(c: char) {{ if c == '\"' {{ g({literal}) }} }}\n");
            assert_eq!(
                found(sql_outside_the_store, path, &text),
                [format!("{path}:2")],
                "{literal}"
            );
            assert!(found(sql_outside_the_store, "crates/store/src/x.rs", &text).is_empty());
        }
        let right = "// SELECT 1\n/* delete from /* t */ */ \"select an engine\" 'x' '\\'' \"to update the name\" // \"SELECT\"\n\
            let selected = \"x\"; \"a setting\"; \"\\\" insert\"; into(\"\");\n";
        assert_eq!(found(sql_outside_the_store, path, right), [""; 0]);
    }

    #[test]
    fn a_clock_an_allowed_lint_a_silent_module_and_a_long_one() {
        let path = "crates/domain/src/x.rs";
        let clock = ["//! x\nstd::time::SystemTime", "now();"].join("::");
        assert_eq!(found(other_clocks, path, &clock), [format!("{path}:2")]);
        assert!(found(other_clocks, CLOCK_HOME, &clock).is_empty());
        let allowed = ["//! x\n#", "[allow(dead_code)]\n"].concat();
        assert_eq!(found(allowed_lints, path, &allowed), [format!("{path}:2")]);
        assert_eq!(
            found(undocumented_modules, path, "\nuse std::fs;\n//! x\n"),
            [format!("{path}:1")]
        );
        assert!(found(undocumented_modules, path, "\n//! x\n").is_empty());
        let long = "//! x\n".repeat(LINES_MAX + 1);
        assert_eq!(
            found(long_files, path, &long),
            [format!("{path}:{}", LINES_MAX + 1)]
        );
        assert!(found(long_files, path, &"//! x\n".repeat(LINES_MAX)).is_empty());
    }

    #[test]
    fn an_unsafe_file() {
        let block = ["//! x\n// an un", "safe place\nun", "safe { f() }\n"].concat();
        let lifted = ["//! x\n#[expect(un", "safe_code)]\nmod x;\n"].concat();
        let path = "crates/sets/src/x.rs";
        assert_eq!(found(unsafe_elsewhere, path, &block), [format!("{path}:3")]);
        assert_eq!(
            found(unsafe_elsewhere, path, &lifted),
            [format!("{path}:2")]
        );
        assert!(found(unsafe_elsewhere, UNSAFE_HOME, &block).is_empty());
        assert!(found(unsafe_elsewhere, UNSAFE_LET_IN, &lifted).is_empty());
    }

    #[test]
    fn a_path_of_a_machine() {
        let (first, second) = (["/wo", "rk/x"].concat(), ["/ro", "ot/x"].concat());
        let text = format!(
            "see {first}\nX={second}\ncrates{first} $DIR{first} ${{DIR}}{second}\n\"{first}\"\n"
        );
        assert_eq!(
            found(machine_paths, "x.md", &text),
            ["x.md:1", "x.md:2", "x.md:4"]
        );
    }
}
