//! A tally as text: `o 12,10,2;a 1;29475123 100;1 50,40,5,3,2`.
//!
//! Accounts are parted by semicolons: `o` all older ones, `a` those that are too far ahead, then minutes in order, each as
//! what it is after the one before. Of an account there stand rows in, out, filtered, late and dead; zeros at the end are
//! left out, and where all that came in went on, there stands that one number.

use std::fmt::Write as _;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Account, Tally};

/// A text that nobody wrote who can write tallies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tally that cannot be read")]
pub struct Unreadable;

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut before = 0;
        let mut parts = Vec::with_capacity(self.apart.len() + 2);
        let together = [("o", &self.older), ("a", &self.ahead)];
        for (name, account) in together.into_iter().filter(|(_, account)| !account.is_empty()) {
            parts.push(format!("{name} {}", written(account)));
        }
        for (minute, account) in self.minutes() {
            parts.push(format!("{} {}", minute - before, written(&account)));
            before = minute;
        }
        formatter.write_str(&parts.join(";"))
    }
}

fn written(account: &Account) -> String {
    let Account {
        rows_in,
        rows_out,
        filtered,
        late,
        dead,
    } = *account;
    let mut text = rows_in.to_string();
    if (rows_out, filtered, late, dead) == (rows_in, 0, 0, 0) {
        return text;
    }
    let rest = [rows_out, filtered, late, dead];
    let last = rest.iter().rposition(|rows| *rows > 0).unwrap_or(0);
    for rows in &rest[..=last] {
        // Writing to a string does not fail.
        let _ = write!(text, ",{rows}");
    }
    text
}

impl FromStr for Tally {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut tally = Self::default();
        let mut before = 0_i64;
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, account) = part.split_once(' ').ok_or(Unreadable)?;
            let account = read(account)?;
            match name {
                "o" => tally.older = account,
                "a" => tally.ahead = account,
                minute => {
                    let step: i64 = minute.parse().map_err(|_no_number| Unreadable)?;
                    before = before.checked_add(step).ok_or(Unreadable)?;
                    let sum = tally.account(before);
                    *sum = sum.and(account);
                }
            }
        }
        Ok(tally)
    }
}

fn read(text: &str) -> Result<Account, Unreadable> {
    let numbers = text
        .split(',')
        .map(|number| number.parse().map_err(|_no_number| Unreadable));
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
    match numbers.len() {
        1 => Ok(Account {
            rows_in: at(0),
            rows_out: at(0),
            ..Account::default()
        }),
        2..=5 => Ok(Account {
            rows_in: at(0),
            rows_out: at(1),
            filtered: at(2),
            late: at(3),
            dead: at(4),
        }),
        _ => Err(Unreadable),
    }
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
