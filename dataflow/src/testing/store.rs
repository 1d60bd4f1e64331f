//! The contract of [`Store`], one sentence after another, against any store.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use uuid::Uuid;

use crate::store::{Error, Store};

/// Bytes enough for several parts of a multipart upload.
const LARGE_BYTES: usize = 20 << 20;

/// So many try to create one object at once.
const CREATORS: usize = 16;

/// Checks every sentence of the contract, below a prefix of its own.
///
/// # Panics
/// Where the store breaks the contract.
pub async fn check(store: Arc<dyn Store>) {
    let root = format!("contract-{}", Uuid::new_v4().simple());
    check_objects(store.as_ref(), &root).await;
    check_ranges(store.as_ref(), &root).await;
    check_lists(store.as_ref(), &root).await;
    check_copies(store.as_ref(), &root).await;
    check_joins(store.as_ref(), &root).await;
    check_uploads(store.as_ref(), &root).await;
    check_creators(&store, &root).await;
    check_paths(store.as_ref()).await;
    for object in list(store.as_ref(), &root).await {
        store.delete(&object).await.expect("deletes what it listed");
    }
    assert!(
        list(store.as_ref(), &root).await.is_empty(),
        "nothing is left of what was deleted"
    );
}

async fn list(store: &dyn Store, prefix: &str) -> Vec<String> {
    store
        .list(prefix)
        .await
        .expect("lists")
        .into_iter()
        .map(|object| object.path)
        .collect()
}

async fn check_objects(store: &dyn Store, root: &str) {
    let path = format!("{root}/objects/deep/one");
    assert!(
        matches!(store.read(&path).await, Err(Error::Missing { .. })),
        "what was not made is missing"
    );
    assert!(
        matches!(store.head(&path).await, Err(Error::Missing { .. })),
        "what was not made is missing"
    );
    store
        .create(&path, Bytes::from_static(b"first"))
        .await
        .expect("creates");
    assert_eq!(store.read(&path).await.expect("reads"), "first");
    let again = store.create(&path, Bytes::from_static(b"second")).await;
    assert!(
        matches!(again, Err(Error::Exists { .. })),
        "an object is created once: {again:?}"
    );
    assert_eq!(
        store.read(&path).await.expect("reads"),
        "first",
        "the second create changed nothing"
    );

    let first = store.head(&path).await.expect("knows");
    assert_eq!((first.path.as_str(), first.size), (path.as_str(), 5));
    assert_eq!(
        store.head(&path).await.expect("knows"),
        first,
        "the version stays while the object stays"
    );
    store.put(&path, Bytes::from_static(b"other")).await.expect("replaces");
    assert_eq!(store.read(&path).await.expect("reads"), "other");
    assert_ne!(
        store.head(&path).await.expect("knows").version,
        first.version,
        "the version changes with the object"
    );

    let empty = format!("{root}/objects/empty");
    store.put(&empty, Bytes::new()).await.expect("puts nothing");
    assert_eq!(store.read(&empty).await.expect("reads nothing"), "");
    for _ in 0..2 {
        store.delete(&path).await.expect("deletes, also what is not there");
        assert!(
            matches!(store.read(&path).await, Err(Error::Missing { .. })),
            "what was deleted is missing"
        );
    }
    store
        .create(&path, Bytes::from_static(b"third"))
        .await
        .expect("creates what was deleted");
}

async fn check_ranges(store: &dyn Store, root: &str) {
    let path = format!("{root}/ranges");
    store
        .create(&path, Bytes::from_static(b"0123456789"))
        .await
        .expect("creates");
    for (range, expected) in [
        (0..10, "0123456789"),
        (3..7, "3456"),
        (9..10, "9"),
        (8..20, "89"),
        (10..12, ""),
        (50..60, ""),
        (4..4, ""),
    ] {
        assert_eq!(
            store.read_range(&path, range.clone()).await.expect("reads a range"),
            expected,
            "{range:?}"
        );
    }
    let missing = store.read_range(&format!("{path}-not-there"), 0..1).await;
    assert!(matches!(missing, Err(Error::Missing { .. })), "{missing:?}");
}

async fn check_lists(store: &dyn Store, root: &str) {
    let below = format!("{root}/lists");
    assert!(
        list(store, &below).await.is_empty(),
        "a prefix that is not there is an empty list"
    );
    let mut paths: Vec<String> = [
        "b/2",
        "b/10",
        "a",
        "b/2x/deep",
        "ab/1",
        "b-",
        "b/date=2026-01-01/hour=03/part",
    ]
    .iter()
    .map(|name| format!("{below}/{name}"))
    .collect();
    for path in &paths {
        store.create(path, Bytes::from_static(b"x")).await.expect("creates");
    }
    paths.sort();
    assert_eq!(
        list(store, &below).await,
        paths,
        "everything below, in the order of the paths"
    );
    assert_eq!(
        list(store, &format!("{below}/")).await,
        paths,
        "a slash at the end says nothing"
    );
    let b: Vec<_> = paths
        .iter()
        .filter(|path| path.contains("/lists/b/"))
        .cloned()
        .collect();
    assert_eq!(
        list(store, &format!("{below}/b")).await,
        b,
        "a prefix is whole parts of a path"
    );
    assert!(
        list(store, &format!("{below}/a")).await.is_empty(),
        "an object is not below itself"
    );
    let object = store.head(&paths[0]).await.expect("knows");
    assert_eq!(
        store.list(&below).await.expect("lists")[0],
        object,
        "a list knows what head knows"
    );
}

async fn check_copies(store: &dyn Store, root: &str) {
    let (from, to) = (format!("{root}/copies/from"), format!("{root}/copies/far/away/to"));
    let missing = store.copy(&from, &to).await;
    assert!(
        matches!(missing, Err(Error::Missing { .. })),
        "what is not there cannot be copied: {missing:?}"
    );
    store
        .create(&from, Bytes::from_static(b"bytes"))
        .await
        .expect("creates");
    store.copy(&from, &to).await.expect("copies");
    assert_eq!(store.read(&to).await.expect("reads the copy"), "bytes");
    assert_eq!(store.read(&from).await.expect("reads the original"), "bytes");
    let again = store.copy(&from, &to).await;
    assert!(
        matches!(again, Err(Error::Exists { .. })),
        "a copy replaces nothing: {again:?}"
    );
    store
        .put(&from, Bytes::from_static(b"other"))
        .await
        .expect("replaces the original");
    assert_eq!(
        store.read(&to).await.expect("reads the copy"),
        "bytes",
        "a copy does not change with its original"
    );
    store.delete(&from).await.expect("deletes the original");
    assert_eq!(
        store.read(&to).await.expect("reads the copy"),
        "bytes",
        "a copy outlives its original"
    );
}

async fn check_joins(store: &dyn Store, root: &str) {
    let name = |name: &str| format!("{root}/joins/{name}");
    let from = ["one", "empty", "two"].map(name);
    for (path, bytes) in from.iter().zip(["first ", "", "second"]) {
        store
            .create(path, Bytes::from_static(bytes.as_bytes()))
            .await
            .expect("creates");
    }
    let missing = store.concat(&[name("one"), name("none")], &name("to")).await;
    assert!(
        matches!(missing, Err(Error::Missing { .. })),
        "what is not there cannot be joined: {missing:?}"
    );
    assert!(
        matches!(store.head(&name("to")).await, Err(Error::Missing { .. })),
        "what cannot be joined makes nothing"
    );
    store.concat(&from, &name("to")).await.expect("joins");
    assert_eq!(store.read(&name("to")).await.expect("reads"), "first second");
    let again = store.concat(&from[..1], &name("to")).await;
    assert!(
        matches!(again, Err(Error::Exists { .. })),
        "a join replaces nothing: {again:?}"
    );
    assert_eq!(store.read(&name("to")).await.expect("reads"), "first second");
}

async fn check_uploads(store: &dyn Store, root: &str) {
    let below = format!("{root}/uploads");
    let large: Bytes = (0..LARGE_BYTES)
        .map(|index| u8::try_from(index % 251).unwrap_or(0))
        .collect();
    for (name, chunk_bytes, size) in [
        ("empty", 1, 0),
        ("small", 10, 100),
        ("large", 1 << 20, LARGE_BYTES),
        ("odd", 6_000_001, LARGE_BYTES - 1),
    ] {
        let path = format!("{below}/{name}");
        let bytes = large.slice(..size);
        let mut upload = store.upload(&path).await.expect("begins an upload");
        for chunk in bytes.chunks(chunk_bytes) {
            upload.write(bytes.slice_ref(chunk)).await.expect("writes");
        }
        assert!(
            matches!(store.head(&path).await, Err(Error::Missing { .. })),
            "{name}: nothing is visible before the end"
        );
        assert!(
            !list(store, &below).await.contains(&path),
            "{name}: nothing is listed before the end"
        );
        upload.finish().await.expect("finishes");
        assert!(
            store.read(&path).await.expect("reads") == bytes,
            "{name}: whole after the end"
        );
    }
    let before = list(store, &below).await;
    for size in [10, LARGE_BYTES] {
        let mut upload = store
            .upload(&format!("{below}/aborted"))
            .await
            .expect("begins an upload");
        upload.write(large.slice(..size)).await.expect("writes");
        upload.abort().await;
        drop(upload);
        let mut upload = store
            .upload(&format!("{below}/dropped"))
            .await
            .expect("begins an upload");
        upload.write(large.slice(..size)).await.expect("writes");
        drop(upload);
    }
    assert_eq!(
        list(store, &below).await,
        before,
        "an upload that does not finish makes nothing"
    );
}

async fn check_creators(store: &Arc<dyn Store>, root: &str) {
    for round in 0..4 {
        let path = format!("{root}/creators/{round}/deep/one");
        let tries = (0..CREATORS).map(|creator| {
            let (store, path) = (Arc::clone(store), path.clone());
            async move { store.create(&path, Bytes::from(creator.to_string())).await }
        });
        let outcomes = join_all(tries).await;
        let winners: Vec<_> = outcomes
            .iter()
            .enumerate()
            .filter(|(_, outcome)| outcome.is_ok())
            .map(|(creator, _)| creator.to_string())
            .collect();
        assert_eq!(
            winners.len(),
            1,
            "of several creators exactly one is told that it was it: {outcomes:?}"
        );
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Ok(()) | Err(Error::Exists { .. }))),
            "{outcomes:?}"
        );
        assert_eq!(
            store.read(&path).await.expect("reads"),
            winners[0].as_bytes(),
            "what is there is the winner's"
        );
    }
}

async fn check_paths(store: &dyn Store) {
    for path in [
        "",
        "/absolute",
        "../outside",
        "a/../../outside",
        "a//b",
        "a/./b",
        "a/",
        "a\0b",
    ] {
        let outcomes = [
            store.create(path, Bytes::new()).await,
            store.put(path, Bytes::new()).await,
            store.upload(path).await.map(drop),
            store.read(path).await.map(drop),
            store.head(path).await.map(drop),
            store.copy(path, "fine").await,
            store.copy("fine", path).await,
            store.delete(path).await,
        ];
        for outcome in outcomes {
            assert!(
                matches!(outcome, Err(Error::Refused { .. })),
                "the path `{path}` leads out of the store: {outcome:?}"
            );
        }
    }
}
