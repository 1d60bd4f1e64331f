//! What a local store does to the file system, in blocking calls, and the order in which it syncs.
//!
//! ```text
//!   create   write .weir-tmp-U · fsync it · link to the name · unlink .weir-tmp-U · fsync the folder
//!   put      write .weir-tmp-U · fsync it · rename to the name                    · fsync the folder
//!   copy     link the old name to the new one                                     · fsync the folder
//! ```

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::store::{Error, Object};

/// How the names of files begin that are not yet objects. A crash may leave one behind; nothing ever reads it.
const TEMPORARY: &str = ".weir-tmp-";

/// So many folders are remembered as synced; then they are forgotten together, which costs a sync each.
const SYNCED_FOLDERS_MAX: usize = 4_096;

/// A folder may be removed, empty, by a delete of another process between its making and its use.
const FOLDER_TRIES_MAX: usize = 64;

/// The folder of a store, and which of its folders are known to be durable.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) url: String,
    pub(super) root: PathBuf,
    synced: Mutex<BTreeSet<PathBuf>>,
}

/// A file that has no name yet that anybody would look for; its hidden name goes when it is dropped.
#[derive(Debug)]
pub(super) struct Temporary {
    pub(super) file: File,
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "temporary file left behind");
        }
    }
}

/// What was being done when the file system said no.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Reading,
    Writing,
}

impl Disk {
    pub(super) fn new(url: String, root: PathBuf) -> Self {
        Self {
            url,
            root,
            synced: Mutex::default(),
        }
    }

    pub(super) fn create(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut temporary = self.begin(path)?;
        temporary
            .file
            .write_all(bytes)
            .map_err(|error| self.writing(path, "write", error))?;
        self.link(path, temporary)
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut temporary = self.begin(path)?;
        let target = self.root.join(path);
        let put = temporary
            .file
            .write_all(bytes)
            .and_then(|()| temporary.file.sync_data())
            .and_then(|()| fs::rename(&temporary.path, &target))
            .and_then(|()| sync_parent(&target));
        put.map_err(|error| self.writing(path, "write", error))
    }

    /// Opens a hidden file in the folder of `path`, which is made and synced if need be.
    pub(super) fn begin(&self, path: &str) -> Result<Temporary, Error> {
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root);
        for _ in 0..FOLDER_TRIES_MAX {
            let hidden = folder.join(format!("{TEMPORARY}{}", Uuid::new_v4().simple()));
            let opened = self
                .make_folder(folder)
                .and_then(|()| OpenOptions::new().write(true).create_new(true).open(&hidden));
            match opened {
                Ok(file) => return Ok(Temporary { file, path: hidden }),
                Err(error) if error.kind() == ErrorKind::NotFound => self.forget(folder),
                Err(error) => return Err(self.writing(path, "make a file", error)),
            }
        }
        Err(self.writing(
            path,
            "make a file",
            io::Error::other("its folder is removed again and again"),
        ))
    }

    /// Syncs a hidden file and gives it its name, if nobody has it.
    pub(super) fn link(&self, path: &str, temporary: Temporary) -> Result<(), Error> {
        let target = self.root.join(path);
        temporary
            .file
            .sync_data()
            .map_err(|error| self.writing(path, "sync", error))?;
        let linked = fs::hard_link(&temporary.path, &target);
        drop(temporary);
        self.linked(path, &target, linked)
    }

    /// Makes durable what a link did, or what it found.
    fn linked(&self, path: &str, target: &Path, linked: io::Result<()>) -> Result<(), Error> {
        // Whoever is told that an object exists goes on from what it reads there: that must be durable too.
        if linked
            .as_ref()
            .map_or_else(|error| error.kind() == ErrorKind::AlreadyExists, |()| true)
        {
            sync_parent(target).map_err(|error| self.writing(path, "sync the folder", error))?;
        }
        linked.map_err(|error| match error.kind() {
            // Its hidden name could be made in this folder, so it is not the user who lacks a right.
            ErrorKind::PermissionDenied | ErrorKind::Unsupported => Error::Refused {
                url: self.url.clone(),
                reason: "the file system has no hard links, which creating a file only once needs".to_owned(),
            },
            _ => self.writing(path, "link", error),
        })
    }

    pub(super) fn read(&self, path: &str) -> Result<Bytes, Error> {
        fs::read(self.root.join(path))
            .map(Bytes::from)
            .map_err(|error| self.reading(path, error))
    }

    pub(super) fn read_range(&self, path: &str, range: &Range<u64>) -> Result<Bytes, Error> {
        let length = range.end.saturating_sub(range.start);
        let read = || {
            let mut file = File::open(self.root.join(path))?;
            let there = file.metadata()?.len().saturating_sub(range.start).min(length);
            let mut bytes = Vec::with_capacity(usize::try_from(there).unwrap_or(0));
            file.seek(SeekFrom::Start(range.start))?;
            file.take(length).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        };
        read().map_err(|error| self.reading(path, error))
    }

    pub(super) fn head(&self, path: &str) -> Result<Object, Error> {
        let metadata = fs::metadata(self.root.join(path)).map_err(|error| self.reading(path, error))?;
        if !metadata.is_file() {
            return Err(self.reading(path, ErrorKind::IsADirectory.into()));
        }
        Ok(object(path.to_owned(), &metadata))
    }

    pub(super) fn copy(&self, from: &str, to: &str) -> Result<(), Error> {
        let (source, target) = (self.root.join(from), self.root.join(to));
        let folder = target.parent().unwrap_or(&self.root);
        for _ in 0..FOLDER_TRIES_MAX {
            let metadata = fs::symlink_metadata(&source).map_err(|error| self.reading(from, error))?;
            if metadata.is_dir() {
                return Err(self.reading(from, ErrorKind::IsADirectory.into()));
            }
            if metadata.is_symlink() {
                return self.copy_bytes(from, to);
            }
            match self.make_folder(folder).and_then(|()| fs::hard_link(&source, &target)) {
                // Either end may be what is not there; the next turn of the loop finds out.
                Err(error) if error.kind() == ErrorKind::NotFound => self.forget(folder),
                Err(error) if matches!(error.kind(), ErrorKind::CrossesDevices | ErrorKind::TooManyLinks) => {
                    return self.copy_bytes(from, to);
                }
                linked => return self.linked(to, &target, linked),
            }
        }
        Err(self.writing(to, "link", io::Error::other("its folder is removed again and again")))
    }

    /// The way of a copy where a link cannot be: a folder of the store is another file system.
    fn copy_bytes(&self, from: &str, to: &str) -> Result<(), Error> {
        self.concat(&[from.to_owned()], to)
    }

    /// Joins files; between files the kernel copies by itself (`copy_file_range`).
    pub(super) fn concat(&self, from: &[String], to: &str) -> Result<(), Error> {
        // Not decided by this, only spared: who is late finds the name taken at the end.
        if self.root.join(to).is_file() {
            return Err(self.writing(to, "link", ErrorKind::AlreadyExists.into()));
        }
        let mut temporary = self.begin(to)?;
        for path in from {
            let mut source = File::open(self.root.join(path)).map_err(|error| self.reading(path, error))?;
            io::copy(&mut source, &mut temporary.file).map_err(|error| self.writing(to, "copy", error))?;
        }
        self.link(to, temporary)
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Vec<Object>, Error> {
        let mut objects = Vec::new();
        let mut folders = vec![prefix.to_owned()];
        while let Some(folder) = folders.pop() {
            match self.list_folder(&folder, &mut folders, &mut objects) {
                // Folders come and go with their objects; a prefix that is not there holds nothing.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                listed => listed.map_err(|error| self.reading(&folder, error))?,
            }
        }
        objects.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        Ok(objects)
    }

    fn list_folder(&self, folder: &str, folders: &mut Vec<String>, objects: &mut Vec<Object>) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            // A name that is not UTF-8 cannot be one of ours, and no document can name it.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name.starts_with(TEMPORARY) {
                continue;
            }
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            if entry.file_type()?.is_dir() {
                folders.push(path);
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_file() => objects.push(object(path, &metadata)),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn delete(&self, path: &str) -> Result<(), Error> {
        let target = self.root.join(path);
        match fs::remove_file(&target) {
            Ok(()) => self.remove_empty_folders(&target),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(_) if target.is_dir() => {}
            Err(error) => return Err(self.writing(path, "delete", error)),
        }
        Ok(())
    }

    /// Folders are no objects: they go with the last of theirs, as they do in an object store.
    fn remove_empty_folders(&self, target: &Path) {
        for folder in target
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != self.root && folder.starts_with(&self.root))
        {
            self.forget(folder);
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }

    /// Makes a folder and those above it; when it returns, the way to it is durable.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if self.synced.lock().contains(folder) {
            return Ok(());
        }
        // Also a folder that was there may have been made, but not yet synced, by somebody else.
        let mut missing = Vec::new();
        let mut above = folder;
        while above != self.root && !above.is_dir() {
            missing.push(above);
            above = above.parent().unwrap_or(&self.root);
        }
        if above == self.root && !above.is_dir() {
            make_root(&self.root)?;
        }
        for folder in missing.into_iter().rev() {
            match fs::create_dir(folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => taken(folder)?,
                made => made?,
            }
        }
        for folder in folder.ancestors().take_while(|folder| *folder != self.root) {
            sync_parent(folder)?;
        }
        let mut synced = self.synced.lock();
        if synced.len() >= SYNCED_FOLDERS_MAX {
            synced.clear();
        }
        synced.insert(folder.to_owned());
        Ok(())
    }

    fn forget(&self, folder: &Path) {
        self.synced.lock().remove(folder);
    }

    fn reading(&self, path: &str, error: io::Error) -> Error {
        self.error(Doing::Reading, path, error)
    }

    pub(super) fn writing(&self, path: &str, step: &str, error: io::Error) -> Error {
        if error.raw_os_error().is_none() {
            return self.error(Doing::Writing, path, error);
        }
        let (kind, text) = (error.kind(), error.to_string());
        self.error(
            Doing::Writing,
            path,
            io::Error::new(kind, format!("cannot {step}: {text}")),
        )
    }

    fn error(&self, doing: Doing, path: &str, error: io::Error) -> Error {
        let (url, path) = (self.url.clone(), path.to_owned());
        match (error.kind(), doing) {
            (ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory, Doing::Reading) => {
                Error::Missing { url, path }
            }
            (ErrorKind::AlreadyExists, _) => Error::Exists { url, path },
            (ErrorKind::NotADirectory, Doing::Writing) => Error::Refused {
                url: format!("{url}/{path}"),
                reason: "a part of its path is a file, not a folder".to_owned(),
            },
            (ErrorKind::InvalidFilename, _) => Error::Refused {
                url: format!("{url}/{path}"),
                reason: "the file system takes no such name".to_owned(),
            },
            (ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem, _) => Error::Denied {
                url,
                path,
                source: Box::new(error),
            },
            (ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge, _) => Error::Full {
                url,
                path,
                source: Box::new(error),
            },
            (_, _) => Error::Unknown {
                url,
                path,
                source: Box::new(error),
            },
        }
    }
}

/// Makes the folder of a store and those above it that are not there, and syncs what held none of them before.
fn make_root(root: &Path) -> io::Result<()> {
    let made: Vec<&Path> = root
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
        .collect();
    match fs::create_dir_all(root) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => made.iter().try_for_each(|folder| taken(folder))?,
        outcome => outcome?,
    }
    made.into_iter().try_for_each(sync_parent)
}

/// What has the name of a folder that was to be made: the folder, made by somebody else, or something in its way.
fn taken(folder: &Path) -> io::Result<()> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(ErrorKind::NotADirectory.into()),
        Err(error) => Err(error),
    }
}

/// Syncs the folder in which `path` has its name.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    File::open(parent)?.sync_all()
}

/// The version is by the time of modification, not of change: linking a file changes the latter.
fn object(path: String, metadata: &fs::Metadata) -> Object {
    let version = format!(
        "{:x}-{:x}.{:x}",
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec()
    );
    Object {
        path,
        size: metadata.len(),
        version,
    }
}
