//! How an object looks: `{"version":1,"crc":"1c291ca3","body":{…}}`, where the checksum covers the bytes of the body.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Error;

/// The version of what is written.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Envelope<B> {
    version: u32,
    crc: String,
    body: B,
}

/// The bytes of an object.
///
/// # Panics
/// When the body cannot be said in JSON: a mistake in its type, seen by its first test.
#[must_use]
pub fn seal<T: Serialize>(body: &T) -> Vec<u8> {
    let body = serde_json::value::to_raw_value(body).expect("what is kept has string keys and finite numbers only");
    let crc = checksum(&body);
    serde_json::to_vec(&Envelope {
        version: VERSION,
        crc,
        body,
    })
    .expect("an envelope is plain JSON")
}

/// Reads an object back.
///
/// # Errors
/// Where it is not what was written, or of another version.
pub fn open<T: DeserializeOwned>(bytes: &[u8], path: &str) -> Result<T, Error> {
    let damaged = |reason: String| Error::Damaged {
        path: path.to_owned(),
        reason,
    };
    let envelope: Envelope<Box<RawValue>> =
        serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if envelope.version != VERSION {
        return Err(Error::Version {
            path: path.to_owned(),
            found: envelope.version,
            known: VERSION,
        });
    }
    if envelope.crc != checksum(&envelope.body) {
        return Err(damaged("its checksum does not fit".to_owned()));
    }
    serde_json::from_str(envelope.body.get()).map_err(|error| damaged(error.to_string()))
}

fn checksum(body: &RawValue) -> String {
    format!("{:08x}", crc32fast::hash(body.get().as_bytes()))
}
