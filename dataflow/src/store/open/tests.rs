//! Which URLs are opened, and which are not.

use super::*;

fn reason(stores: &OpenStores, url: &str) -> String {
    match stores.open(url) {
        Err(Error::Refused { reason, .. }) => reason,
        other => panic!("{url}: {other:?}"),
    }
}

#[test]
fn folders_and_buckets_are_opened_by_url() {
    let stores = OpenStores::new(AllowPaths::All, S3::default());
    for (url, root) in [
        ("/data/in", Some("/data/in")),
        ("file:///data/in", Some("/data/in")),
        ("in", Some("in")),
        ("s3://lake/revenue", None),
    ] {
        let store = stores.open(url).unwrap();
        assert_eq!((store.url(), store.local_root()), (url, root.map(Path::new)));
    }
}

#[test]
fn a_store_is_opened_once() {
    let stores = OpenStores::new(AllowPaths::All, S3::default());
    assert!(Arc::ptr_eq(
        &stores.open("/data").unwrap(),
        &stores.open("/data").unwrap()
    ));
}

#[test]
fn what_is_kept_open_is_bounded() {
    let stores = OpenStores::new(AllowPaths::All, S3::default());
    for number in 0..OPEN_MAX * 3 {
        stores.open(&format!("/data/{number}")).unwrap();
    }
    assert!(stores.stores.lock().len() <= OPEN_MAX);
}

#[test]
fn urls_of_other_kinds_are_refused_with_a_reason() {
    let stores = OpenStores::new(AllowPaths::All, S3::default());
    assert!(reason(&stores, "gs://lake/x").contains("`s3://bucket/prefix`"));
    assert!(reason(&stores, "https://example.org/x").contains("`s3://bucket/prefix`"));
    assert!(reason(&stores, "file://elsewhere/x").contains("`file:///folder`"));
    assert!(reason(&stores, "s3://").contains("`s3://bucket/prefix`"));
    assert!(reason(&stores, "s3://key:secret@lake/x").contains("`s3://bucket/prefix`"));
    assert!(reason(&stores, "s3://lake/a/../b").contains("`..`"));
    assert!(reason(&stores, "").contains("no folder"));
}

#[test]
fn only_allowed_folders_are_opened_whatever_leads_there() {
    let here = tempfile::tempdir().unwrap();
    let (free, secret) = (here.path().join("free"), here.path().join("secret"));
    std::fs::create_dir_all(&free).unwrap();
    std::fs::create_dir_all(&secret).unwrap();
    std::os::unix::fs::symlink(&secret, free.join("link")).unwrap();
    let stores = OpenStores::new(AllowPaths::Only(vec![free.clone()]), S3::default());
    for inside in ["", "not/there/yet", "."] {
        stores.open(free.join(inside).to_str().unwrap()).unwrap();
    }
    for outside in [
        "../secret",
        "link",
        "link/deeper",
        "not/there/../../../secret",
        "..",
        "/etc",
    ] {
        let reason = reason(&stores, free.join(outside).to_str().unwrap());
        assert!(
            reason.contains("--allow-path") || reason.contains("resolved"),
            "{outside}: {reason}"
        );
    }
    let beside = format!("{}dom", free.display());
    assert!(
        reason(&stores, &beside).contains("--allow-path"),
        "a folder is not allowed for how its name begins"
    );
}

#[test]
fn without_allowed_folders_only_buckets_are_opened() {
    let stores = OpenStores::new(AllowPaths::Only(Vec::new()), S3::default());
    assert!(reason(&stores, "/data").contains("--allow-path FOLDER"));
    stores.open("s3://lake/x").unwrap();
}

#[test]
fn half_a_key_is_refused_by_the_name_of_the_other_half() {
    let half = S3 {
        access_key: Some("AKIA".to_owned()),
        ..S3::default()
    };
    let stores = OpenStores::new(AllowPaths::All, half);
    assert!(reason(&stores, "s3://lake/x").contains("`AWS_SECRET_ACCESS_KEY` is not"));
}

#[tokio::test]
async fn keys_that_nobody_gives_are_no_mistake_of_the_document_and_the_help_says_what_to_set() {
    // A port that was free a moment ago: no machine answers there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let s3 = S3 {
        metadata: Some(format!("http://{nobody}/")),
        ..S3::default()
    };
    let store = OpenStores::new(AllowPaths::All, s3).open("s3://lake/x").unwrap();
    let failure = crate::Failure::from(store.list("").await.unwrap_err());
    assert_eq!(failure.disposition, crate::Disposition::Retry);
    assert!(failure.message.contains("no keys for S3 are set"), "{failure}");
    assert!(failure.help.unwrap().contains("AWS_SECRET_ACCESS_KEY"));
}

#[test]
fn secrets_are_not_printed() {
    let s3 = S3 {
        secret_key: Some("hunter2".to_owned()),
        access_key: Some("AKIA".to_owned()),
        ..S3::default()
    };
    let stores = OpenStores::new(AllowPaths::All, s3);
    assert!(!format!("{stores:?}").contains("hunter2"));
}
