//! Lists the files of the page, so that they become part of the binary: no file is forgotten, and no Node is needed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // Asked while it runs, and named in no output: a checkout elsewhere may use the same target folder.
    let [home, out] = ["CARGO_MANIFEST_DIR", "OUT_DIR"].map(folder);
    let (ui, out) = (home?.join("ui"), out?);
    let mut paths = Vec::new();
    list(&ui, "", &mut paths)?;
    paths.sort_unstable();
    let mut table = "/// The files of the page, by their path.\nconst FILES: &[(&str, &[u8])] = &[\n".to_owned();
    for path in &paths {
        let (source, copy) = (ui.join(path), out.join("ui").join(path));
        fs::create_dir_all(copy.parent().unwrap_or(&out))?;
        // What others wrote stays as it came.
        let own = !path.starts_with("vendor/") && [".js", ".css"].iter().any(|ending| path.ends_with(ending));
        if own {
            fs::write(&copy, plain(&fs::read_to_string(&source)?))?;
        } else {
            fs::copy(&source, &copy)?;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "    ({path:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), {:?}))),",
            format!("/ui/{path}")
        );
    }
    table.push_str("];\n");
    fs::write(out.join("ui.rs"), table)?;
    println!("cargo:rerun-if-changed=ui");
    Ok(())
}

/// A folder that cargo names to a build script.
fn folder(name: &str) -> io::Result<PathBuf> {
    let named = env::var_os(name).map(PathBuf::from);
    named.ok_or_else(|| io::Error::other(format!("cargo names no {name}")))
}

/// A module or style sheet without the lines that are comments and nothing else: a tenth of what travels.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        let ends = trimmed.ends_with("*/");
        let begins = trimmed.starts_with("/*");
        // A comment before something else on its line stays.
        let comment = inside || trimmed.starts_with("//") || (begins && (ends || !trimmed.contains("*/")));
        inside = (inside || (begins && comment)) && !ends;
        if !comment {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    plain
}

/// What a browser asks for; the licences beside it travel in the repository.
fn list(folder: &Path, above: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{above}{name}");
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{path}/"), paths)?;
        } else if [".html", ".js", ".css", ".svg"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            paths.push(path);
        }
    }
    Ok(())
}
