//! Tables and quantities as people read them.

use comfy_table::{CellAlignment, ContentArrangement, presets};
use dataflow::time::WallTime;

/// A borderless table: columns under their names.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// A table of these columns; those whose name begins with `#` are numbers and stand to the right.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(columns.iter().map(|name| name.trim_start_matches('#').to_uppercase()));
        for (index, name) in columns.iter().enumerate() {
            let Some(column) = table.column_mut(index) else {
                continue;
            };
            column.set_padding((0, 2));
            if name.starts_with('#') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self(table)
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.0.add_row(cells);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.0.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit that leaves at least one: `1.5 GiB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = number as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{number} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Rows a second: `1.25 M/s`.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate >= 1e6 => format!("{:.2} M/s", rate / 1e6),
        rate if rate >= 1e3 => format!("{:.1} k/s", rate / 1e3),
        rate => format!("{rate:.0}/s"),
    }
}

/// A duration in its two largest units: `2h 5m`, `3.2s`, `12ms`.
pub(crate) fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds}ms"),
        1..60 => format!("{}.{}s", seconds, milliseconds % 1000 / 100),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// How long ago a time of day was, by the clock of this machine.
pub(crate) fn ago(at_ms: i64, now: WallTime) -> String {
    age(u64::try_from(now.0.saturating_sub(at_ms)).unwrap_or(0))
}

/// Milliseconds since 1970 as `2026-01-31T23:59:59.999Z`.
pub(crate) fn stamp(at_ms: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
        assert_eq!(rate(1_250_000.0), "1.25 M/s");
        assert_eq!(age(12), "12ms");
        assert_eq!(age(3_250), "3.2s");
        assert_eq!(age(7_500_000), "2h 5m");
        assert_eq!(ago(1_000, WallTime(64_000)), "1m 3s");
        assert_eq!(
            ago(2_000, WallTime(1_000)),
            "0ms",
            "another machine's clock may be ahead"
        );
    }

    #[test]
    fn a_table_stands_in_columns() {
        let mut table = Table::new(&["name", "#rows"]);
        table.row(vec!["a".into(), "1,000".into()]);
        table.row(vec!["longer".into(), "7".into()]);
        assert_eq!(table.to_string(), "NAME     ROWS\na       1,000\nlonger      7\n");
    }
}
