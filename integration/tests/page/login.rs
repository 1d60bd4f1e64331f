//! The page of a job manager that asks who looks: a token is typed, kept by the tab alone, and sent as a header.

use integration::cluster::Cluster;

use crate::{alone, drive};

#[test]
fn the_page_asks_for_a_token_where_the_job_manager_does() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    let cluster = Cluster::start(folder.path(), &["--token-file", &token.to_string_lossy()]).unwrap();
    let token = std::fs::read_to_string(token).unwrap();
    drive("login.mjs", &cluster, &[token.trim()]);
}
