//! Lists the files of the page, so that they become part of the binary: no file is forgotten, and no Node is needed.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let ui = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let mut paths = Vec::new();
    list(&ui, "", &mut paths)?;
    paths.sort_unstable();
    let mut table = "/// The files of the page, by their path.\nconst FILES: &[(&str, &[u8])] = &[\n".to_owned();
    for path in &paths {
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "    ({path:?}, include_bytes!({:?})),",
            ui.join(path).display().to_string()
        );
    }
    table.push_str("];\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo names an OUT_DIR"))?;
    fs::write(Path::new(&out).join("ui.rs"), table)?;
    println!("cargo:rerun-if-changed=ui");
    Ok(())
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
