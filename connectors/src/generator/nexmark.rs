//! The events of the Nexmark benchmark: persons, auctions and bids, 1 to 3 to 46, with the usual fields.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "prices and lengths are rounded positive numbers"
)]

use super::draw::{Draw, scramble};
use super::events::{EventTime, Events};
use super::options::{Layout, Options};
use super::text;

/// Of this many events in a row the first is a person, the next three are auctions, the others bids.
const EPOCH: u64 = 50;
const AUCTIONS_PER_EPOCH: u64 = 3;
/// Ids of persons and auctions begin here.
const FIRST_ID: u64 = 1000;
/// So many of the newest auctions still take bids.
const OPEN_AUCTIONS: u64 = 100;
/// So many of the newest persons sell and bid.
const ACTIVE_PERSONS: u64 = 1000;
/// Ids up to this much too new are drawn too, so that some bids come before their auction.
const AHEAD: u64 = 10;
/// Every so many persons or auctions one is popular.
const POPULAR_EVERY: u64 = 100;

const FIRST_NAMES: &[&str] = &[
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: &[&str] = &[
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris",
];
const CITIES: &[&str] = &[
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const STATES: &[&str] = &["AZ", "CA", "ID", "OR", "WA", "WY"];
const POPULAR_CHANNELS: &[&str] = &["Google", "Facebook", "Baidu", "Apple"];
const RARE_CHANNELS: u64 = 10_000;

/// Streams of draws, one for each purpose.
mod stream {
    pub(super) const PERSON: u64 = 1;
    pub(super) const AUCTION: u64 = 2;
    pub(super) const BID: u64 = 3;
    pub(super) const CHANNEL: u64 = 4;
    pub(super) const TIME: u64 = 7;
}

/// The auction house.
#[derive(Debug)]
pub(super) struct Nexmark {
    seed: u64,
    time: EventTime,
    layout: Layout,
}

/// How an event of one kind is wrapped, and which layout holds only these.
type Wrapped = (Layout, &'static [u8], fn(&Nexmark, u64, &mut Vec<u8>));

impl Nexmark {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            seed: options.seed,
            time: EventTime::new(options, 10_000.0),
            layout: options.layout.unwrap_or_default(),
        }
    }

    fn instant(&self, index: u64) -> u64 {
        self.time.drawn(self.seed, stream::TIME, index)
    }

    fn person(&self, index: u64, out: &mut Vec<u8>) {
        let mut draw = Draw::new(self.seed, stream::PERSON, index);
        out.extend_from_slice(b"{\"id\":");
        text::number(out, FIRST_ID + newest_person(index));
        out.extend_from_slice(b",\"name\":\"");
        let start = out.len();
        out.extend_from_slice(draw.one_of(FIRST_NAMES).as_bytes());
        out.push(b' ');
        out.extend_from_slice(draw.one_of(LAST_NAMES).as_bytes());
        out.extend_from_slice(b"\",\"emailAddress\":\"");
        draw.letters(out, 7);
        out.push(b'@');
        draw.letters(out, 5);
        out.extend_from_slice(b".com\",\"creditCard\":\"");
        for block in 0..4 {
            if block > 0 {
                out.push(b' ');
            }
            text::padded::<4>(out, draw.below(10_000));
        }
        out.extend_from_slice(b"\",\"city\":\"");
        out.extend_from_slice(draw.one_of(CITIES).as_bytes());
        out.extend_from_slice(b"\",\"state\":\"");
        out.extend_from_slice(draw.one_of(STATES).as_bytes());
        out.extend_from_slice(b"\",\"dateTime\":");
        text::number(out, self.instant(index));
        out.extend_from_slice(b",\"extra\":\"");
        // What is filled up is about 200 bytes of content: 70 of what was written are keys and quotes.
        let content = out.len() - start - 70;
        fill(&mut draw, content.min(190), 200, out);
        out.extend_from_slice(b"\"}");
    }

    fn auction(&self, index: u64, out: &mut Vec<u8>) {
        let mut draw = Draw::new(self.seed, stream::AUCTION, index);
        let instant = self.instant(index);
        let initial = price(&mut draw);
        let reserve = initial + price(&mut draw);
        let seller = if draw.below(4) > 0 {
            popular(newest_person(index))
        } else {
            active_person(&mut draw, index)
        };
        // On average as long as it takes to open all the auctions that are open at a time, twice over.
        let horizon = self
            .time
            .span_of(OPEN_AUCTIONS as f64 * EPOCH as f64 / AUCTIONS_PER_EPOCH as f64);
        let expires = instant + 1 + draw.below((horizon * 2).max(1));
        out.extend_from_slice(b"{\"id\":");
        text::number(out, FIRST_ID + newest_auction(index));
        out.extend_from_slice(b",\"itemName\":\"");
        draw.letters(out, 20);
        out.extend_from_slice(b"\",\"description\":\"");
        draw.letters(out, 100);
        let seller = FIRST_ID + seller;
        for (key, value) in [
            ("\",\"initialBid\":", initial),
            (",\"reserve\":", reserve),
            (",\"dateTime\":", instant),
            (",\"expires\":", expires),
            (",\"seller\":", seller),
        ] {
            out.extend_from_slice(key.as_bytes());
            text::number(out, value);
        }
        out.extend_from_slice(b",\"category\":");
        text::number(out, 10 + draw.below(5));
        out.extend_from_slice(b",\"extra\":\"");
        // Seven numbers of 8 bytes and 120 letters count as content.
        fill(&mut draw, 7 * 8 + 120, 500, out);
        out.extend_from_slice(b"\"}");
    }

    fn bid(&self, index: u64, out: &mut Vec<u8>) {
        let mut draw = Draw::new(self.seed, stream::BID, index);
        let auction = if draw.below(2) > 0 {
            popular(newest_auction(index))
        } else {
            open_auction(&mut draw, index)
        };
        let bidder = if draw.below(4) > 0 {
            popular(newest_person(index)) + 1
        } else {
            active_person(&mut draw, index)
        };
        out.extend_from_slice(b"{\"auction\":");
        text::number(out, FIRST_ID + auction);
        out.extend_from_slice(b",\"bidder\":");
        text::number(out, FIRST_ID + bidder);
        out.extend_from_slice(b",\"price\":");
        text::number(out, price(&mut draw));
        out.extend_from_slice(b",\"channel\":\"");
        self.channel(&mut draw, out);
        out.extend_from_slice(b"\",\"dateTime\":");
        text::number(out, self.instant(index));
        out.extend_from_slice(b",\"extra\":\"");
        // Four numbers of 8 bytes count as content.
        fill(&mut draw, 4 * 8, 100, out);
        out.extend_from_slice(b"\"}");
    }

    /// A channel, and the address that this channel always has.
    fn channel(&self, draw: &mut Draw, out: &mut Vec<u8>) {
        let popular = POPULAR_CHANNELS.len() as u64;
        let channel = if draw.below(2) > 0 {
            let channel = draw.below(popular);
            out.extend_from_slice(POPULAR_CHANNELS[channel as usize].as_bytes());
            channel
        } else {
            let rare = draw.below(RARE_CHANNELS);
            out.extend_from_slice(b"channel-");
            text::number(out, rare);
            popular + rare
        };
        out.extend_from_slice(b"\",\"url\":\"https://www.nexmark.com/");
        let mut address = Draw::new(self.seed, stream::CHANNEL, channel);
        for _ in 0..3 {
            address.letters(out, 4);
            out.push(b'/');
        }
        out.extend_from_slice(b"item.htm?query=1");
        if channel >= popular && address.below(10) > 0 {
            out.extend_from_slice(b"&channel_id=");
            text::number(out, scramble(channel) & 0x3fff_ffff);
        }
    }
}

impl Events for Nexmark {
    fn write(&self, index: u64, out: &mut Vec<u8>) -> bool {
        let (only, wrapper, write): Wrapped = match index % EPOCH {
            0 => (Layout::Person, b"{\"event_type\":0,\"person\":", Self::person),
            1..=AUCTIONS_PER_EPOCH => (Layout::Auction, b"{\"event_type\":1,\"auction\":", Self::auction),
            _ => (Layout::Bid, b"{\"event_type\":2,\"bid\":", Self::bid),
        };
        if self.layout == Layout::Mixed {
            out.extend_from_slice(wrapper);
            write(self, index, out);
            out.push(b'}');
            return true;
        }
        if self.layout == only {
            write(self, index, out);
        }
        self.layout == only
    }

    /// Whole epochs, so that each split has all kinds of events.
    fn group(&self) -> u64 {
        EPOCH
    }
}

fn newest_person(index: u64) -> u64 {
    index / EPOCH
}

fn newest_auction(index: u64) -> u64 {
    let before = index / EPOCH * AUCTIONS_PER_EPOCH;
    match index % EPOCH {
        0 => before.saturating_sub(1),
        offset => before + offset.min(AUCTIONS_PER_EPOCH) - 1,
    }
}

fn popular(newest: u64) -> u64 {
    newest / POPULAR_EVERY * POPULAR_EVERY
}

fn active_person(draw: &mut Draw, index: u64) -> u64 {
    let persons = newest_person(index) + 1;
    let active = persons.min(ACTIVE_PERSONS);
    persons - active + draw.below(active + AHEAD)
}

fn open_auction(draw: &mut Draw, index: u64) -> u64 {
    let newest = newest_auction(index);
    let oldest = newest.saturating_sub(OPEN_AUCTIONS);
    oldest + draw.below(newest - oldest + 1 + AHEAD)
}

fn price(draw: &mut Draw) -> u64 {
    (10_f64.powf(draw.unit() * 6.0) * 100.0).round() as u64
}

/// Fills a record up from `content` bytes to about `wanted`, a fifth of the gap more or less.
fn fill(draw: &mut Draw, content: usize, wanted: usize, out: &mut Vec<u8>) {
    if content >= wanted {
        return;
    }
    let gap = wanted - content;
    let spread = (gap as f64 * 0.2).round() as u64;
    let count = gap as u64 - spread + draw.below(2 * spread + 1);
    draw.letters(out, count as usize);
}
