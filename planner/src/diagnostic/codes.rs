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

    /// The code that is printed so; none where it is of another version.
    #[must_use]
    pub fn known(written: &str) -> Option<Self> {
        let found = PAGES.iter().find(|(name, _)| *name == written);
        found.map(|(name, _)| Self(name))
    }

    /// Errors begin with `E`, warnings with `W`.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.0.starts_with('W') {
            Severity::Warning
        } else {
            Severity::Error
        }
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
    pages()
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(code))
        .map(|(_, page)| *page)
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
    // E01: the file and its YAML
    /// The file is longer than is read.
    E0101,
    /// A control character stands in the text.
    E0102,
    /// Lists and maps stand in each other too deep.
    E0103,
    /// The file has too many values, or its aliases repeat too much.
    E0104,
    /// The text is not YAML.
    E0105,
    /// A tab indents.
    E0106,
    /// The indentation fits no line above.
    E0107,
    /// A quote or a bracket is not closed.
    E0108,
    /// A key stands twice in one map.
    E0109,
    /// A merge key.
    E0110,
    /// A key is no word.
    E0111,
    /// An alias without its anchor.
    E0112,
    /// A tag.
    E0113,
    /// The file holds no datastream.
    E0114,
    /// The file holds too many documents.
    E0115,
    // E02: the document and its keys
    /// The document is no map.
    E0201,
    /// A key that is not known there.
    E0202,
    /// A key is missing.
    E0203,
    /// A value of another kind than expected.
    E0204,
    /// A name that can't be one.
    E0205,
    /// `desiredState` is neither ON nor OFF.
    E0206,
    /// Not a duration.
    E0207,
    /// Not an amount of bytes.
    E0208,
    /// A number out of its range.
    E0209,
    /// Something that this version does not have yet.
    E0210,
    /// Two datastreams of one name.
    E0211,
    /// `restart` in none of its forms.
    E0212,
    /// A version of the language that this build does not know.
    E0213,
    /// A list or map with nothing in it.
    E0214,
    /// Not a path, or a reserved name.
    E0215,
    /// More sources, steps and sinks than fit.
    E0217,
    /// Inputs named in two places.
    E0218,
    // E03: sources, sinks, steps and formats
    /// An item without the key of its component.
    E0301,
    /// An item with two components.
    E0302,
    /// A component that is not known.
    E0303,
    /// A connector on the side that it does not have.
    E0304,
    /// An option that the component does not have.
    E0305,
    /// An option is missing.
    E0306,
    /// An option of another kind than expected.
    E0307,
    /// A value that the option does not take.
    E0308,
    /// A key beside the component that belongs elsewhere.
    E0309,
    /// A format that is not known.
    E0310,
    /// A type that is not known.
    E0311,
    /// The format needs a schema.
    E0312,
    /// Options that each are right but can't work.
    E0314,
    /// A key that needs a connector which this build lacks.
    E0315,
    // E04: expressions
    /// An expression longer than is read.
    E0401,
    /// An expression is missing.
    E0402,
    /// An expression without a name.
    E0403,
    /// Two columns or branches of one name.
    E0404,
    /// An expression that is not SQL.
    E0405,
    /// SQL that an expression over one row cannot use.
    E0406,
    /// A function that does not exist.
    E0407,
    /// A field that does not exist.
    E0408,
    /// Types that do not go together.
    E0409,
    /// A condition that is neither true nor false.
    E0410,
    /// A record of which not all is known.
    E0411,
    /// A field of a type that cannot be used here.
    E0412,
    /// Nothing is left of the rows.
    E0413,
    // E05: the graph
    /// A union with fewer than two inputs.
    E0501,
    /// An input that does not exist.
    E0502,
    /// Rows would go round in a circle.
    E0503,
    /// Two parts of one name.
    E0504,
    /// A route without its branch.
    E0505,
    /// Inputs whose rows differ.
    E0506,
    /// It is not clear what is archived.
    E0507,
    /// A format that cannot give these fields.
    E0509,
    // E06: time, windows and keys
    /// A window in none of its forms, or in two.
    E0601,
    /// Lengths of a window that do not fit each other.
    E0602,
    /// A key of a window that means nothing for it.
    E0603,
    /// Not a time zone.
    E0604,
    /// A window beside a step that has none.
    E0605,
    /// Late rows of a part that has none.
    E0606,
    /// A step by event time whose rows have none.
    E0607,
    /// Changes reach what takes new rows only.
    E0608,
    /// An aggregate that is none, or with what it does not take.
    E0609,
    /// An aggregate of values that it cannot fold.
    E0610,
    /// An aggregate of values of which nothing says what they are.
    E0611,
    /// A `topN` of records as bytes.
    E0612,
    /// Not an order.
    E0613,
    /// A key in two places.
    E0614,
    /// Ties are kept only by window.
    E0615,
    /// The best rows of windows that give theirs more than once.
    E0616,
    /// Rows of a key that would wait.
    E0617,
    /// A sample of rows that have no place in a source.
    E0618,
    /// A window that a `topN` cannot have.
    E0619,
    // E07: changes of what runs
    /// What a step has kept would be read as something else.
    E0701,
    /// A sink has output under way that nobody would publish.
    E0702,
    /// No step takes over what another one has kept.
    E0703,
    /// What is fixed for the life of a datastream.
    E0704,
    // E08: tests
    /// A test names a source or sink that is not there, or does not say which.
    E0801,
    /// Not a point in time.
    E0802,
    /// An item of a test that says nothing, or two things.
    E0803,
    /// Something behind the end, or a watermark that goes back.
    E0804,
    /// Two tests of one name.
    E0805,
    /// Rows that are no records of their source.
    E0806,
    // W02: warnings
    /// Nobody is named as contact.
    W0201,
    /// A type of events stands twice.
    W0202,
    /// `eventTypeField` without `eventTypeFilters`.
    W0203,
    /// `retention` is not applied yet.
    W0205,
    // W05: what probably was not meant
    /// Nobody reads a part of the datastream.
    W0501,
    /// A field in double quotes, perhaps meant as text.
    W0502,
    /// A condition that does not depend on the row.
    W0503,
    /// Columns that are not known yet.
    W0504,
    /// A hidden field that no step has.
    W0505,
    // W06: time, windows and keys
    /// A `dedup` by processing time, because its rows have no event time.
    W0601,
    /// More subtasks than one, where all rows must meet.
    W0602,
}
