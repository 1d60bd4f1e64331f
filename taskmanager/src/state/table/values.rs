//! What an operator keeps in a table beside the keys.

use dataflow::Failure;

/// The values of a table: one for each slot, laid out by column.
pub(crate) trait Values: Send {
    /// Makes room for `slots` slots; new ones are as a key begins.
    fn grow(&mut self, slots: usize);

    /// A slot's key was removed: another one begins there.
    fn reset(&mut self, slot: u32);

    /// Appends a slot's value.
    fn encode(&self, slot: u32, out: &mut Vec<u8>);

    /// Sets a slot's value, as [`Values::encode`] wrote it.
    ///
    /// # Errors
    /// Bytes that it did not write.
    fn decode(&mut self, slot: u32, bytes: &[u8]) -> Result<(), Failure>;

    /// Memory held, roughly.
    fn bytes(&self) -> usize;

    /// A slot's key goes to disk, and with it what was encoded; the slot is reset behind that.
    fn leave(&mut self, slot: u32, key: &[u8]) {
        let _ = (slot, key);
    }

    /// Slots were reset: gives up what they left behind, if it is much.
    fn compact(&mut self) {}

    /// No slot is anybody's: gives up the memory of all.
    fn clear(&mut self) {}
}
