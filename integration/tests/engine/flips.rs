//! Some of the flips that `weir-flips` makes by the hundred.

use anyhow::{Result, ensure};
use integration::flips::{Settings, Tally, checkpoints, savepoints};

const SETTINGS: Settings = Settings {
    seed: 20,
    flips: 10,
    events: 150_000,
    rate: 100_000,
};

#[test]
fn a_flipped_bit_of_a_checkpoint_is_harmless_or_named() -> Result<()> {
    let place = tempfile::tempdir()?;
    let Tally { right, named } = checkpoints(place.path(), &SETTINGS, &mut |_| ())?;
    ensure!(named > 0 && right + named == SETTINGS.flips, "{right} and {named}");
    Ok(())
}

#[test]
fn a_flipped_bit_of_a_savepoint_is_harmless_or_named() -> Result<()> {
    let place = tempfile::tempdir()?;
    let few = Settings { flips: 3, ..SETTINGS };
    let Tally { right, named } = savepoints(place.path(), &few, &mut |_| ())?;
    ensure!(named > 0 && right + named == 3, "{right} and {named}");
    Ok(())
}
