//! A crash point is in the code and in the deck of the chaos runner: one that nobody comes to, or nobody dies at, proves nothing.

use std::collections::BTreeSet;

use integration::chaos::points;

use crate::{report, tree};

#[test]
fn every_crash_point_is_in_the_code_and_in_the_deck() {
    let call = "crash::point(\"";
    let in_code: BTreeSet<String> = tree::sources()
        .iter()
        .filter(|file| !file.is_test() && !file.path.starts_with("integration/"))
        .flat_map(|file| file.text.split(call).skip(1).filter_map(|rest| rest.split('"').next()))
        .map(str::to_owned)
        .collect();
    let in_deck: BTreeSet<String> = points().map(str::to_owned).collect();
    assert!(in_deck.len() >= 20, "{in_deck:?}");
    let odd: Vec<String> = in_code.symmetric_difference(&in_deck).cloned().collect();
    report("crash points in the code only, or in the deck only", &odd);
}
