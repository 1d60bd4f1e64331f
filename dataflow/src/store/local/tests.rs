//! The contract on a real folder, and what only a folder can get wrong.

use std::fs;
use std::io::Write as _;

use tempfile::tempdir;

use super::*;
use crate::error::{Disposition, Failure};
use crate::testing::store;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_keeps_the_contract() {
    let folder = tempdir().unwrap();
    store::check(Arc::new(Local::open(folder.path()))).await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_made_with_the_first_object_and_emptied_with_the_last() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("to/be/made");
    let local = Local::open(&root);
    assert!(local.list("").await.unwrap().is_empty());
    local.delete("a/b/c").await.unwrap();
    assert!(!root.exists(), "reading makes no folders");
    local.create("a/b/c", Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(fs::read(root.join("a/b/c")).unwrap(), b"x");
    local.delete("a/b/c").await.unwrap();
    assert!(root.is_dir() && !root.join("a").exists());
    local.create("a/b/c", Bytes::from_static(b"again")).await.unwrap();
}

#[tokio::test]
async fn nothing_hidden_is_left_behind_or_listed() {
    let folder = tempdir().unwrap();
    let local = Local::open(folder.path());
    local.create("one", Bytes::from_static(b"x")).await.unwrap();
    local.create("one", Bytes::from_static(b"y")).await.unwrap_err();
    local.put("one", Bytes::from_static(b"z")).await.unwrap();
    let mut upload = local.upload("two").await.unwrap();
    upload.write(Bytes::from_static(b"part")).await.unwrap();
    let names: Vec<_> = local
        .list("")
        .await
        .unwrap()
        .into_iter()
        .map(|object| object.path)
        .collect();
    assert_eq!(names, ["one"], "an upload on its way is not listed");
    upload.abort().await;
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_upload_onto_an_object_replaces_nothing() {
    let folder = tempdir().unwrap();
    let local = Local::open(folder.path());
    local.create("one", Bytes::from_static(b"first")).await.unwrap();
    let mut upload = local.upload("one").await.unwrap();
    upload.write(Bytes::from_static(b"second")).await.unwrap();
    assert!(matches!(upload.finish().await, Err(Error::Exists { .. })));
    assert_eq!(local.read("one").await.unwrap(), "first");
}

#[tokio::test]
async fn a_linked_object_keeps_its_version() {
    let folder = tempdir().unwrap();
    let local = Local::open(folder.path());
    local.create("from", Bytes::from_static(b"x")).await.unwrap();
    local.copy("from", "to").await.unwrap();
    let before = local.head("to").await.unwrap();
    local.delete("from").await.unwrap();
    assert_eq!(local.head("to").await.unwrap(), before);
}

#[tokio::test]
async fn a_copy_of_a_symbolic_link_is_a_copy_of_the_bytes() {
    let folder = tempdir().unwrap();
    let local = Local::open(folder.path().join("store"));
    fs::write(folder.path().join("outside"), "bytes").unwrap();
    local.create("first", Bytes::new()).await.unwrap();
    std::os::unix::fs::symlink(folder.path().join("outside"), folder.path().join("store/link")).unwrap();
    local.copy("link", "copy").await.unwrap();
    fs::remove_file(folder.path().join("outside")).unwrap();
    assert_eq!(local.read("copy").await.unwrap(), "bytes");
    let names: Vec<_> = local
        .list("")
        .await
        .unwrap()
        .into_iter()
        .map(|object| object.path)
        .collect();
    assert_eq!(names, ["copy", "first"], "a link to nothing is no object");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_come_and_go_in_one_folder_at_once() {
    let folder = tempdir().unwrap();
    let locals = [Local::open(folder.path()), Local::open(folder.path())];
    let writers = (0..16).map(|writer| {
        let local = &locals[writer % 2];
        async move {
            for round in 0..40 {
                let (one, two) = (format!("a/b/{}/{writer}", round % 3), format!("a/c/{writer}"));
                local.create(&one, Bytes::from_static(b"x")).await.unwrap();
                local.copy(&one, &two).await.unwrap();
                local.delete(&one).await.unwrap();
                local.delete(&two).await.unwrap();
            }
        }
    });
    futures::future::join_all(writers).await;
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "folders go with their last object"
    );
}

#[tokio::test]
async fn folders_are_no_objects() {
    let folder = tempdir().unwrap();
    let local = Local::open(folder.path());
    local.create("folder/one", Bytes::new()).await.unwrap();
    assert!(matches!(local.read("folder").await, Err(Error::Missing { .. })));
    assert!(matches!(local.head("folder").await, Err(Error::Missing { .. })));
    assert!(matches!(local.copy("folder", "to").await, Err(Error::Missing { .. })));
    local.delete("folder").await.unwrap();
    assert!(local.read("folder/one").await.is_ok());
    assert!(matches!(
        local.read("folder/one/below").await,
        Err(Error::Missing { .. })
    ));
    assert!(matches!(
        local.head("folder/one/below").await,
        Err(Error::Missing { .. })
    ));
}

#[tokio::test]
async fn a_path_through_a_file_says_so() {
    let folder = tempdir().unwrap();
    let local = Local::open(folder.path());
    local.create("file", Bytes::new()).await.unwrap();
    let failure = Failure::from(local.create("file/below", Bytes::new()).await.unwrap_err());
    assert_eq!(failure.disposition, Disposition::Fail);
    assert!(failure.message.contains("is a file, not a folder"), "{failure}");
    let below = Local::open(folder.path().join("file"));
    let failure = Failure::from(below.create("x", Bytes::new()).await.unwrap_err());
    assert!(failure.message.contains("is a file, not a folder"), "{failure}");
}

#[tokio::test]
async fn a_full_disk_says_so_and_is_tried_again() {
    // Every write to this device fails as on a full disk.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let disk = Disk::new("/data".to_owned(), PathBuf::from("/data"));
    let error = (&full).write(b"x").unwrap_err();
    let failure = Failure::from(disk.writing("a/b", "write", error));
    assert_eq!(failure.disposition, Disposition::Retry);
    assert!(
        failure
            .message
            .starts_with("/data: no space left for `a/b`: cannot write"),
        "{failure}"
    );
    assert!(failure.help.is_some());
}

#[tokio::test]
async fn a_right_that_is_missing_is_named() {
    // Nobody may make files in /proc, not even root.
    let failure = Failure::from(Local::open("/proc").create("weir/one", Bytes::new()).await.unwrap_err());
    assert!(failure.message.contains("weir/one"), "{failure}");
}
