//! Frames from a peer are read or refused, never a panic: as they come, and with a checksum that fits, which opens the
//! way to the headers and to what they say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskmanager::network::frame;

/// Where the checksum stands, and what it covers.
const CRC: std::ops::Range<usize> = 1..5;

fuzz_target!(|data: &[u8]| {
    let _ = frame::decode(data);
    let _ = frame::decode_receipt(data);
    if data.len() >= CRC.end {
        let mut whole = data.to_vec();
        let crc = crc32fast::hash(&whole[CRC.end..]);
        whole[CRC].copy_from_slice(&crc.to_le_bytes());
        let _ = frame::decode(&whole);
        let _ = frame::decode_receipt(&whole);
    }
});
