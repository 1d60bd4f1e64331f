//! The tokens that open the door: read from files, one a line, and read again while the process runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dataflow::Failure;
use dataflow::time::Instant;
use parking_lot::Mutex;
use subtle::{Choice, ConstantTimeEq as _};

use super::Role;

/// A token that was taken out of its file is refused after this long.
const READ_AGAIN: Duration = Duration::from_secs(10);
/// Shorter ones can be guessed.
const LENGTH_MIN: usize = 16;
/// A file of tokens is no larger.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A token. It cannot be printed.
struct Token {
    bytes: Vec<u8>,
    role: Role,
}

/// The tokens of this process.
pub struct Tokens {
    files: Vec<(PathBuf, Role)>,
    given: Vec<Token>,
    read: Mutex<(Option<Instant>, Vec<Token>)>,
}

impl Tokens {
    /// Those of the files, and those that were given otherwise.
    ///
    /// # Errors
    /// Where a file cannot be read, others may read it, or a token in it is too short.
    pub fn of(files: Vec<(PathBuf, Role)>, given: Vec<(String, Role)>) -> Result<Self, Failure> {
        let mut tokens = Vec::new();
        for (text, role) in given {
            tokens.push(token(text.trim(), role).map_err(|short| short.help("set WEIR_TOKEN to a longer one"))?);
        }
        let read = read_all(&files)?;
        Ok(Self {
            files,
            given: tokens,
            read: Mutex::new((None, read)),
        })
    }

    /// What the bearer of a token may do.
    pub(super) fn role(&self, given: &[u8], now: Instant) -> Option<Role> {
        let mut read = self.read.lock();
        if read.0.is_none_or(|last| now.since(last) >= READ_AGAIN) {
            if !self.files.is_empty() {
                // A file that is gone or open to others opens nothing.
                read.1 = read_all(&self.files).unwrap_or_else(|failure| {
                    tracing::error!(
                        reason = failure.message,
                        "the tokens cannot be read; nobody is let in by them"
                    );
                    Vec::new()
                });
            }
            read.0 = Some(now);
        }
        // Every token is looked at, whichever fits.
        let mut found = None;
        for token in self.given.iter().chain(&read.1) {
            let fits: Choice = token.bytes.as_slice().ct_eq(given);
            if bool::from(fits) {
                found = found.max(Some(token.role));
            }
        }
        found
    }
}

fn token(text: &str, role: Role) -> Result<Token, Failure> {
    if text.len() < LENGTH_MIN {
        return Err(Failure::fail(format!(
            "a token of {} characters can be guessed; it needs {LENGTH_MIN} at least",
            text.len()
        )));
    }
    Ok(Token {
        bytes: text.as_bytes().to_vec(),
        role,
    })
}

fn read_all(files: &[(PathBuf, Role)]) -> Result<Vec<Token>, Failure> {
    let mut tokens = Vec::new();
    for (file, role) in files {
        tokens.extend(read(file, *role)?);
    }
    Ok(tokens)
}

fn read(path: &Path, role: Role) -> Result<Vec<Token>, Failure> {
    let shown = path.display();
    let cannot =
        |error: std::io::Error| Failure::fail(format!("the token file {shown} cannot be read")).because(&error);
    let file = fs::File::open(path).map_err(cannot)?;
    let mode = file.metadata().map_err(cannot)?.mode();
    if mode & 0o077 != 0 {
        return Err(Failure::fail(format!(
            "others may read the token file {shown} (its mode is {:o})",
            mode & 0o777
        ))
        .help(format!("chmod 600 {shown}")));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(cannot)?;
    let lines = text.lines().map(str::trim);
    let tokens = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let tokens: Result<Vec<_>, _> = tokens.map(|line| token(line, role)).collect();
    let tokens = tokens.map_err(|short| Failure::fail(format!("{shown}: {}", short.message)))?;
    match tokens.is_empty() {
        true => Err(Failure::fail(format!("there is no token in {shown}")).help("write one a line")),
        false => Ok(tokens),
    }
}

/// Makes a file with a new token of 256 bits, where there is none; says whether it did.
///
/// # Errors
/// Where it cannot be made.
pub fn make(path: &Path) -> Result<bool, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::fail(format!("the token file {} cannot be made", path.display())).because(&error)
    };
    if path.exists() {
        return Ok(false);
    }
    let mut random = [0_u8; 32];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .map_err(cannot)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| {
        file.write_all(format!("{token}\n").as_bytes())
            .and_then(|()| file.sync_all())
    })
    .map_err(cannot)?;
    Ok(true)
}
