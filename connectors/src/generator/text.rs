//! Writes numbers and instants as text, straight into the buffer of a batch.

const DAY_MS: u64 = 86_400_000;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a decimal number.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    let mut rest = value;
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Appends the last `WIDTH` digits of a number, with zeros before them.
pub(super) fn padded<const WIDTH: usize>(out: &mut Vec<u8>, value: u64) {
    let mut digits = [b'0'; WIDTH];
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Appends an amount of cents as `12.34`.
pub(super) fn money(out: &mut Vec<u8>, cents: u64) {
    number(out, cents / 100);
    out.push(b'.');
    padded::<2>(out, cents % 100);
}

/// Appends 128 bits as a UUID.
pub(super) fn uuid(out: &mut Vec<u8>, high: u64, low: u64) {
    let mut text = [b'-'; 36];
    let bits = (u128::from(high) << 64) | u128::from(low);
    let places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
    for (nibble, place) in places.enumerate() {
        text[place] = HEX[((bits >> (124 - 4 * nibble)) & 15) as usize];
    }
    out.extend_from_slice(&text);
}

/// Appends milliseconds since 1970 as `2023-11-14T22:13:20.000Z`.
pub(super) fn iso(out: &mut Vec<u8>, instant: u64) {
    let (year, month, day) = civil(instant / DAY_MS);
    let time = instant % DAY_MS;
    padded::<4>(out, year);
    out.push(b'-');
    padded::<2>(out, month);
    out.push(b'-');
    padded::<2>(out, day);
    out.push(b'T');
    padded::<2>(out, time / 3_600_000);
    out.push(b':');
    padded::<2>(out, time / 60_000 % 60);
    out.push(b':');
    padded::<2>(out, time / 1000 % 60);
    out.push(b'.');
    padded::<3>(out, time % 1000);
    out.push(b'Z');
}

/// Year, month and day of the day that lies `days` after 1970-01-01 in the Gregorian calendar.
///
/// Counts in years that begin on March 1st, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let since = days + 719_468;
    let (era, day_of_era) = (since / 146_097, since % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}
