//! Events of a shop platform: 20 event types by frequency, subscribers and companies by Zipf, a nested payload.

use super::draw::{Draw, Zipf, scramble};
use super::events::{EventTime, Events};
use super::options::{Options, TimeFormat};
use super::text;

/// In order of frequency.
const TYPES: &[&str; 20] = &[
    "PAGE_VIEW",
    "PRODUCT_VIEW",
    "ADD_TO_CART",
    "SEARCH",
    "CART_UPDATED",
    "EMAIL_OPENED",
    "CATEGORY_VIEW",
    "EMAIL_CLICKED",
    "CHECKOUT",
    "PURCHASE",
    "ORDER_CONFIRMED",
    "WISHLIST_ADDED",
    "REMOVE_FROM_CART",
    "LOGIN",
    "COUPON_APPLIED",
    "SHIPMENT_CREATED",
    "SHIPMENT_DELIVERED",
    "REPLENISHMENT",
    "PRICE_DROP",
    "BACK_IN_STOCK",
];
const COUNTRIES: &[&str] = &["US", "GB", "DE", "FR", "ES", "BR", "IN", "JP", "NL", "SE"];
const DEVICES: &[&str] = &["ios", "android", "desktop", "tablet"];
const CURRENCIES: &[&str] = &["USD", "EUR", "GBP", "BRL"];
/// A prime that spreads the frequent subscribers over the range of ids.
const SPREAD: u64 = 7_368_787;
/// Late events are this many milliseconds behind, and up to [`LATE_SPAN`] more.
const LATE_MIN: u64 = 60_000;
const LATE_SPAN: u64 = 540_000;

/// Streams of draws, one for each purpose.
mod stream {
    pub(super) const EVENT: u64 = 11;
    pub(super) const DUPLICATE: u64 = 21;
    pub(super) const ORIGINAL: u64 = 22;
    pub(super) const MALFORMED: u64 = 23;
}

/// The shop.
#[derive(Debug)]
pub(super) struct Shop {
    seed: u64,
    time: EventTime,
    format: TimeFormat,
    malformed: f64,
    late: f64,
    duplicates: f64,
    duplicate_window: u64,
    subscribers: u64,
    type_ranks: Zipf,
    subscriber_ranks: Zipf,
    company_ranks: Zipf,
}

impl Shop {
    pub(super) fn new(options: &Options) -> Self {
        let subscribers = options.subscribers.unwrap_or(1_000_000);
        Self {
            seed: options.seed,
            time: EventTime::new(options, 5_000.0),
            format: options.time_format.unwrap_or_default(),
            malformed: options.malformed.unwrap_or(0.0),
            late: options.late.unwrap_or(0.0),
            duplicates: options.duplicates.unwrap_or(0.0),
            duplicate_window: options.duplicate_window.unwrap_or(5_000),
            subscribers,
            type_ranks: Zipf::new(TYPES.len() as u64, 0.9),
            subscriber_ranks: Zipf::new(subscribers, 0.9),
            company_ranks: Zipf::new(options.companies.unwrap_or(1_000), 1.0),
        }
    }

    fn repeats(&self, index: u64) -> bool {
        self.duplicates > 0.0 && index > 0 && Draw::new(self.seed, stream::DUPLICATE, index).unit() < self.duplicates
    }

    /// The event whose bytes stand at `index`: its own, or those of an earlier one that is no duplicate itself.
    fn original(&self, index: u64) -> u64 {
        if !self.repeats(index) {
            return index;
        }
        let mut draw = Draw::new(self.seed, stream::ORIGINAL, index);
        let mut original = index - 1 - draw.below(index.min(self.duplicate_window));
        while original > 0 && self.repeats(original) {
            original -= 1;
        }
        original
    }

    fn instant(&self, index: u64, draw: &mut Draw) -> u64 {
        let mut instant = self.time.in_order(index);
        let spread = self.time.out_of_order_ms();
        if spread > 0 && draw.below(10) == 0 {
            instant -= draw.below(spread);
        }
        if self.late > 0.0 && draw.unit() < self.late {
            instant = instant.saturating_sub(LATE_MIN + draw.below(LATE_SPAN));
        }
        instant
    }

    fn event(&self, index: u64, out: &mut Vec<u8>) {
        let mut draw = Draw::new(self.seed, stream::EVENT, index);
        let instant = self.instant(index, &mut draw);
        let rank = usize::try_from(self.type_ranks.rank(&mut draw)).map_or(0, |rank| rank - 1);
        let subscriber = (self.subscriber_ranks.rank(&mut draw) - 1).wrapping_mul(SPREAD) % self.subscribers;
        let company = self.company_ranks.rank(&mut draw);

        out.extend_from_slice(b"{\"eventId\":\"");
        // The low half is one to one with the index, so ids are unique.
        let high = scramble(self.seed ^ scramble(index.wrapping_mul(2)));
        text::uuid(out, high, scramble(index ^ 0x5bd1_e995));
        out.extend_from_slice(b"\",\"eventType\":\"");
        out.extend_from_slice(TYPES[rank].as_bytes());
        out.extend_from_slice(b"\",\"subscriberId\":");
        text::number(out, 1_000_000 + subscriber);
        out.extend_from_slice(b",\"companyId\":");
        text::number(out, company);
        out.extend_from_slice(b",\"eventTime\":");
        match self.format {
            TimeFormat::Ms => text::number(out, instant),
            TimeFormat::Iso => {
                out.push(b'"');
                text::iso(out, instant);
                out.push(b'"');
            }
        }
        payload(&mut draw, company, out);
        out.push(b'}');
    }

    /// Makes a record unreadable: cut off, another text, or with `=` for its first `:`.
    fn spoil(draw: &mut Draw, start: usize, out: &mut Vec<u8>) {
        let length = (out.len() - start) as u64;
        match draw.below(3) {
            0 => {
                let kept = usize::try_from(1 + draw.below(length - 2)).unwrap_or(1);
                out.truncate(start + kept);
            }
            1 => {
                out.truncate(start);
                out.extend_from_slice(b"not json at all");
            }
            _ => {
                if let Some(colon) = memchr::memchr(b':', &out[start..]) {
                    out[start + colon] = b'=';
                }
            }
        }
    }
}

/// The nested half of an event.
fn payload(draw: &mut Draw, company: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"payload\":{\"sessionId\":\"");
    draw.letters(out, 12);
    out.extend_from_slice(b"\",\"url\":\"https://shop");
    text::number(out, company);
    out.extend_from_slice(b".example.com/");
    draw.letters(out, 8);
    out.push(b'/');
    draw.letters(out, 10);
    for (key, choices) in [("country", COUNTRIES), ("device", DEVICES), ("currency", CURRENCIES)] {
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":\"");
        out.extend_from_slice(draw.one_of(choices).as_bytes());
    }
    out.extend_from_slice(b"\",\"total\":");
    items(draw, out);
    out.push(b'}');
}

/// The total, and the one to three items that it is the sum of.
fn items(draw: &mut Draw, out: &mut Vec<u8>) {
    let count = usize::try_from(1 + draw.below(3)).unwrap_or(1);
    let mut items = [(0, 0, 0); 3];
    let items = &mut items[..count];
    for (sku, quantity, cents) in items.iter_mut() {
        *sku = draw.below(100_000);
        *quantity = 1 + draw.below(4);
        *cents = 99 + draw.below(50_000);
    }
    text::money(out, items.iter().map(|(_, quantity, cents)| quantity * cents).sum());
    out.extend_from_slice(b",\"items\":[");
    for (place, (sku, quantity, cents)) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"sku\":\"sku-");
        text::number(out, *sku);
        out.extend_from_slice(b"\",\"qty\":");
        text::number(out, *quantity);
        out.extend_from_slice(b",\"price\":");
        text::money(out, *cents);
        out.push(b'}');
    }
    out.push(b']');
}

impl Events for Shop {
    fn write(&self, index: u64, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        self.event(self.original(index), out);
        if self.malformed > 0.0 {
            let mut draw = Draw::new(self.seed, stream::MALFORMED, index);
            if draw.unit() < self.malformed {
                Self::spoil(&mut draw, start, out);
            }
        }
        true
    }

    fn group(&self) -> u64 {
        1
    }
}
