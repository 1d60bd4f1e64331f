//! The contract over `object_store`'s memory; against a real S3 server it runs in `integration`.

use std::sync::Arc;

use object_store::memory::InMemory;

use super::*;
use crate::testing::store;

#[tokio::test]
async fn a_bucket_keeps_the_contract() {
    store::check(Arc::new(Remote::new("memory://bucket", "", Arc::new(InMemory::new())))).await;
}

#[tokio::test]
async fn a_part_of_a_bucket_keeps_the_contract_and_to_itself() {
    let client: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let whole = Remote::new("memory://bucket", "", Arc::clone(&client));
    whole.create("other", Bytes::from_static(b"left alone")).await.unwrap();
    store::check(Arc::new(Remote::new(
        "memory://bucket/part/of/it",
        "/part/of/it/",
        Arc::clone(&client),
    )))
    .await;
    assert_eq!(whole.read("other").await.unwrap(), "left alone");
    for object in whole.list("").await.unwrap() {
        assert!(
            object.path == "other" || object.path.starts_with("part/of/it/"),
            "{object:?}"
        );
    }
}
