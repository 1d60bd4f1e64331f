//! The exceptions from the ceilings: each with a number that may only fall.

/// Files that are longer than their ceiling, with their length.
pub(crate) const FILES: &[(&str, usize)] = &[
    ("taskmanager/src/operators/delay/mod.rs", 306),
    ("taskmanager/src/operators/top_n/mod.rs", 337),
];

/// Functions that are longer than their ceiling, with their length.
pub(crate) const FUNCTIONS: &[(&str, usize)] = &[(
    "integration/tests/engine/standby.rs::a_standby_leads_when_the_leader_is_killed",
    80,
)];

/// What is wrong with `lines`, given the ceiling and the exceptions: too long, or an exception that is no longer needed.
pub(crate) fn exceeds(exceptions: &[(&str, usize)], name: &str, lines: usize, ceiling: usize) -> Option<String> {
    match exceptions.iter().find(|(excepted, _)| *excepted == name) {
        Some((_, allowed)) if lines < *allowed => Some(format!(
            "{name} has shrunk to {lines}: lower its exception from {allowed}"
        )),
        Some((_, allowed)) => {
            (lines > *allowed).then(|| format!("{name}: {lines} lines, its exception allows {allowed}"))
        }
        None => (lines > ceiling).then(|| format!("{name}: {lines} lines of at most {ceiling}")),
    }
}
