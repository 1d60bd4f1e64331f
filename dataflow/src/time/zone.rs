//! Time zones by their IANA names: those that this build knows.

/// Whether a name is one of a time zone, such as `Europe/Berlin`; case matters.
#[must_use]
pub fn is_zone(name: &str) -> bool {
    name.parse::<chrono_tz::Tz>().is_ok()
}

/// The names of all time zones, in order.
pub fn zones() -> impl Iterator<Item = &'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_their_names() {
        assert!(is_zone("Europe/Berlin") && is_zone("UTC"));
        assert!(!is_zone("Europe/Berln") && !is_zone("europe/berlin") && !is_zone("+02:00"));
        assert!(zones().all(is_zone));
    }
}
