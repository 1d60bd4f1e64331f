//! The codes of all mistakes, grouped by hundreds, each with its page under `docs/errors/`.

use serde::{Serialize, Serializer};

use super::Severity;

/// Which mistake: `E` for errors, `W` for warnings, then the group and the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// The code as it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Errors begin with `E`, warnings with `W`.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.0.starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// The page of a code, for `weir explain CODE`; case does not matter.
#[must_use]
pub fn page(code: &str) -> Option<&'static str> {
    pages().iter().find(|(name, _)| name.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}

/// All codes with their pages, in order.
#[must_use]
pub fn pages() -> &'static [(&'static str, &'static str)] {
    PAGES
}

/// Declares each code once: the constant, and its page, which must exist.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $($(#[$doc])* pub const $name: Code = Code(stringify!($name));)*
        const PAGES: &[(&str, &str)] = &[
            $((stringify!($name), include_str!(concat!("../../../docs/errors/", stringify!($name), ".md"))),)*
        ];
    };
}

codes! {
    // 01: the file and its YAML
    /// The file is too big or nested too deep.
    E0101,
}
