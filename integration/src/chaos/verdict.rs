//! What an outsider finds when everything has ended: lost, doubled, out of order.

use std::fmt;

use anyhow::Result;

use super::fleet::Fleet;
use crate::oracle::{self, Extent};

/// What was found of one datastream.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    /// Which.
    pub stream: &'static str,
    /// Events that must be in it.
    pub expected: u64,
    /// Events that are not.
    pub lost: u64,
    /// Events, or rows, that are in it once more.
    pub doubled: u64,
    /// Rows that do not go on from their key's rows before.
    pub misordered: u64,
    /// Rows that nobody expects, or that say something else.
    pub wrong: u64,
}

/// What was found in one round.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// By datastream.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Reads everything that the datastreams wrote, and makes their events again.
    pub(super) fn of(fleet: &Fleet) -> Result<Self> {
        Ok(Self {
            findings: vec![windows(fleet)?, uniques(fleet)?, totals(fleet)?],
        })
    }

    /// Whether everything is as it must be.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        let clean = |finding: &Finding| finding.lost + finding.doubled + finding.misordered + finding.wrong == 0;
        self.findings.iter().all(clean) && self.findings.iter().all(|finding| finding.expected > 0)
    }
}

fn windows(fleet: &Fleet) -> Result<Finding> {
    let expected = oracle::expected_counts(&fleet.options("windows"))?;
    let folder = fleet.output("windows");
    let found = oracle::compare_counts(&expected, &folder, Some(&fleet.output("late")), Extent::Whole)?;
    Ok(Finding {
        stream: "windows",
        expected: found.events,
        lost: found.uncounted,
        doubled: found.recounted.max(found.duplicated as u64),
        misordered: oracle::windows_out_of_order(&folder)?,
        wrong: (found.foreign + found.wrong) as u64,
    })
}

fn uniques(fleet: &Fleet) -> Result<Finding> {
    let mut expected = oracle::expected(&fleet.options("uniques"), &[])?;
    expected.sort_unstable();
    expected.dedup();
    let folder = fleet.output("uniques");
    let found = oracle::compare(expected, oracle::visible(&folder)?);
    Ok(Finding {
        stream: "uniques",
        expected: found.expected as u64,
        lost: found.missing as u64,
        doubled: found.duplicated as u64,
        misordered: oracle::rows_out_of_order(&folder)?,
        wrong: (found.foreign + found.altered) as u64,
    })
}

fn totals(fleet: &Fleet) -> Result<Finding> {
    let expected = oracle::expected_totals(&fleet.options("totals"))?;
    let found = oracle::compare_changes(&expected, &fleet.output("totals"))?;
    Ok(Finding {
        stream: "totals",
        expected: found.expected,
        lost: found.uncounted,
        doubled: found.recounted,
        misordered: found.broken,
        wrong: 0,
    })
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "      verdict")?;
        for Finding {
            stream,
            expected,
            lost,
            doubled,
            misordered,
            wrong,
        } in &self.findings
        {
            write!(
                f,
                "; {stream}: {expected} events, {lost} lost, {doubled} doubled, {misordered} out of order, {wrong} wrong"
            )?;
        }
        Ok(())
    }
}
