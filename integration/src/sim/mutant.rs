//! The rules of the protocol, each broken on purpose: what the simulator must be able to see.

use std::fmt;

use jobmanager::testing;

/// A rule of DESIGN.md 5 that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// A new leader makes no fence record.
    NoFence,
    /// Who finds a record of a later generation goes on behind it, and does not step down.
    NoStepDown,
    /// A foreign record of one's own number is taken for one's own.
    ForeignAdopted,
    /// A record whose outcome is unknown counts as not made.
    UnknownIsFailure,
    /// Who opens the ledger writes on behind a page of a later term.
    LedgerUnfenced,
    /// Records are put, and not made by create-if-absent.
    PlainPut,
    /// The sinks are told to commit when the record is sent, and not when it is there.
    CommitBeforeRecord,
    /// A sink says that it has committed when it begins to: record N+1 comes before N's commits.
    CommitSaidEarly,
    /// What an aborted barrier prepared is dropped, and not put into the next snapshot.
    AbortedDropped,
    /// An acknowledgement counts for whatever barrier is in flight.
    BarrierUnchecked,
    /// What an older attempt says counts for the present one.
    AttemptUnchecked,
    /// What was restored is not committed again before the first row.
    NoRepeat,
    /// A task manager is known by its name, and not by which start of its process it is.
    IncarnationUnchecked,
    /// An older epoch than the head is restored.
    OlderEpoch,
    /// A task manager takes any deployment, also one from the past.
    AnyDeployment,
    /// The first barrier to come counts as if all channels had come to it.
    Unaligned,
    /// The name of a published object holds who commits, so that a repeated commit makes another one.
    CommitterInName,
    /// A cancelled subtask says that it is gone, and goes on talking.
    GoneButTalking,
    /// Subtasks are adopted that do not descend from the head.
    AdoptsAnybody,
    /// Some of the subtasks are enough to be adopted.
    AdoptsParts,
    /// What those who are adopted have not committed of the head is forgotten.
    OwedForgotten,
    /// The barriers of an adopted deployment are counted anew.
    CountedAnew,
    /// What readers hold that are adopted is dealt out again.
    DealtAgain,
    /// Who is adopted goes on obeying whom it obeyed before.
    HearsBoth,
    /// What nobody leads runs on forever.
    LeaseForever,
    /// A task manager serves any leader with what a later one has led.
    EarlierTermServed,
    /// Only what failed is started anew, and not what is connected with it.
    RegionOfOne,
    /// The barrier in flight is not given up when a part of the job fails.
    PartKeepsBarrier,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::NoFence,
        Self::NoStepDown,
        Self::ForeignAdopted,
        Self::UnknownIsFailure,
        Self::LedgerUnfenced,
        Self::PlainPut,
        Self::CommitBeforeRecord,
        Self::CommitSaidEarly,
        Self::AbortedDropped,
        Self::BarrierUnchecked,
        Self::AttemptUnchecked,
        Self::NoRepeat,
        Self::IncarnationUnchecked,
        Self::OlderEpoch,
        Self::AnyDeployment,
        Self::Unaligned,
        Self::CommitterInName,
        Self::GoneButTalking,
        Self::AdoptsAnybody,
        Self::AdoptsParts,
        Self::OwedForgotten,
        Self::CountedAnew,
        Self::DealtAgain,
        Self::HearsBoth,
        Self::LeaseForever,
        Self::EarlierTermServed,
        Self::RegionOfOne,
        Self::PartKeepsBarrier,
    ];

    /// Where it cannot be planted from outside: its place in the job manager.
    pub(super) fn within(self) -> Option<testing::Mutant> {
        match self {
            Self::NoFence => Some(testing::Mutant::NoFence),
            Self::NoStepDown => Some(testing::Mutant::NoStepDown),
            Self::ForeignAdopted => Some(testing::Mutant::ForeignAdopted),
            Self::UnknownIsFailure => Some(testing::Mutant::UnknownIsFailure),
            Self::LedgerUnfenced => Some(testing::Mutant::LedgerUnfenced),
            Self::AdoptsAnybody => Some(testing::Mutant::AdoptsAnybody),
            Self::AdoptsParts => Some(testing::Mutant::AdoptsParts),
            Self::OwedForgotten => Some(testing::Mutant::OwedForgotten),
            Self::CountedAnew => Some(testing::Mutant::CountedAnew),
            Self::DealtAgain => Some(testing::Mutant::DealtAgain),
            Self::RegionOfOne => Some(testing::Mutant::RegionOfOne),
            Self::PartKeepsBarrier => Some(testing::Mutant::PartKeepsBarrier),
            Self::PlainPut
            | Self::CommitBeforeRecord
            | Self::CommitSaidEarly
            | Self::AbortedDropped
            | Self::BarrierUnchecked
            | Self::AttemptUnchecked
            | Self::NoRepeat
            | Self::IncarnationUnchecked
            | Self::OlderEpoch
            | Self::AnyDeployment
            | Self::Unaligned
            | Self::CommitterInName
            | Self::GoneButTalking
            | Self::HearsBoth
            | Self::LeaseForever
            | Self::EarlierTermServed => None,
        }
    }

    /// The mutant of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.to_string() == name)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
