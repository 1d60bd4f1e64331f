//! Records rewritten as bytes: fields cut out, lists spread over several records.

use arrow::array::{Array, BinaryViewArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use dataflow::contract::format::{BadRecord, Splicer, Unnested};
use dataflow::expr::Path;

use super::fault::{Fault, Result, kind};
use super::record::Records;
use super::text;
use super::tokens::{PADDING, Tokens};
use super::walk::Walk;

/// The most bytes that one record may become by `unnest`: each element repeats the rest of the record, so a record of a
/// megabyte could become a hundred gigabytes.
const MOST: usize = 64 << 20;
/// When a buffer of new records is full. A view names places up to 4 GiB.
const FULL: usize = 4 << 20;

/// Rewrites JSON records.
pub(super) struct JsonSplicer;

impl Splicer for JsonSplicer {
    fn remove_fields(&self, records: &BinaryViewArray, paths: &[Path]) -> BinaryViewArray {
        let gone = Gone::new(paths);
        let mut source = Source::new(records);
        let mut out = Rewritten::new(records);
        let mut cuts = Vec::new();
        for row in 0..records.len() {
            cuts.clear();
            let (bytes, found) = source.walk(row, |walk| {
                if walk.peek().1 == b'{' {
                    remove(walk, &gone, &mut cuts)?;
                }
                Ok(())
            });
            if found.is_err() || cuts.is_empty() {
                out.keep(records.views()[row]);
            } else {
                let mut from = 0;
                let end = (bytes.len(), bytes.len());
                let kept = cuts.iter().chain([&end]).map(|(start, end)| {
                    let part = &bytes[from..*start];
                    from = *end;
                    part
                });
                out.push(kept);
            }
        }
        out.finish(records.nulls().cloned())
    }

    fn unnest(&self, records: &BinaryViewArray, path: &Path) -> Unnested {
        let mut source = Source::new(records);
        let mut out = Rewritten::new(records);
        let (mut rows, mut bad) = (Vec::new(), Vec::new());
        for row in 0..records.len() {
            let (bytes, found) = source.walk(row, |walk| list(walk, path.parts()));
            match found.and_then(|found| affordable(bytes, found)) {
                Ok(None) => {}
                Ok(Some(List { from, to, elements })) => {
                    for (start, end) in elements {
                        out.push([&bytes[..from], &bytes[start..end], &bytes[to..]].into_iter());
                        rows.push(u32::try_from(row).expect("a batch has a few thousand rows"));
                    }
                }
                Err(fault) => {
                    let error = if fault.is_syntax() {
                        fault
                    } else {
                        fault.inside(&path.to_string())
                    };
                    bad.push(BadRecord {
                        row,
                        error: error.to_string(),
                    });
                }
            }
        }
        Unnested {
            records: out.finish(None),
            rows,
            bad,
        }
    }
}

/// That the new records are not monstrous.
fn affordable(record: &[u8], found: Option<List>) -> Result<Option<List>> {
    let Some(list) = found else { return Ok(None) };
    let rest = record.len() - (list.to - list.from);
    if rest.saturating_mul(list.elements.len()).saturating_add(record.len()) > MOST {
        return Err(Fault::value(format!(
            "its {} elements, each with the rest of the record, would be more than {} MiB",
            list.elements.len(),
            MOST >> 20
        )));
    }
    Ok(Some(list))
}

/// The old records, one at a time.
struct Source<'a> {
    records: Records<'a>,
    tokens: Tokens,
    copy: Vec<u8>,
}

impl<'a> Source<'a> {
    fn new(records: &'a BinaryViewArray) -> Self {
        Self {
            records: Records::new(records),
            tokens: Tokens::default(),
            copy: Vec::new(),
        }
    }

    /// The bytes of a record, and what a walk over the whole of it finds.
    fn walk<T>(&mut self, row: usize, find: impl FnOnce(&mut Walk<'_>) -> Result<T>) -> (&[u8], Result<T>) {
        let (bytes, len, _) = self.records.padded(row, &mut self.copy);
        let found = self.tokens.find(bytes, len).and_then(|()| {
            let mut walk = Walk::new(bytes, len, &self.tokens);
            let found = find(&mut walk)?;
            if walk.is_at_start() {
                walk.skip()?;
            }
            walk.end()?;
            Ok(found)
        });
        (&bytes[..len], found)
    }
}

/// What is removed, as a tree: a field without inner ones is removed whole.
struct Gone {
    fields: Vec<(String, Gone)>,
}

impl Gone {
    fn new(paths: &[Path]) -> Self {
        let mut root = Self { fields: Vec::new() };
        for path in paths {
            root.add(path.parts());
        }
        root
    }

    fn add(&mut self, parts: &[String]) {
        let Some((name, inner)) = parts.split_first() else {
            // The whole field goes, whatever inside it was named before.
            self.fields.clear();
            return;
        };
        match self.fields.iter_mut().find(|(field, _)| field == name) {
            // A field that goes whole has nothing inside it left to remove.
            Some((_, below)) if below.fields.is_empty() => {}
            Some((_, below)) => below.add(inner),
            None => {
                let mut below = Self { fields: Vec::new() };
                below.add(inner);
                self.fields.push((name.clone(), below));
            }
        }
    }

    fn find(&self, raw: &[u8]) -> Option<&Self> {
        self.fields
            .iter()
            .find(|(field, _)| text::is_name(raw, field))
            .map(|(_, below)| below)
    }
}

/// Notes what of the object that begins here must go, as stretches of bytes in order.
fn remove(walk: &mut Walk<'_>, gone: &Gone, cuts: &mut Vec<(usize, usize)>) -> Result<()> {
    let mut from = walk.peek().0 + 1;
    walk.enter()?;
    if walk.peek().1 == b'}' {
        walk.leave();
        return Ok(());
    }
    let mut is_any_kept = false;
    loop {
        let name = walk.name()?;
        let below = gone.find(text::contents(&walk.bytes()[name..]));
        match below {
            Some(below) if !below.fields.is_empty() && walk.peek().1 == b'{' => remove(walk, below, cuts)?,
            _ => walk.skip()?,
        }
        let (at, byte) = walk.peek();
        if below.is_some_and(|below| below.fields.is_empty()) {
            // With it goes one comma: that before it, or, if nothing before it is kept, that behind it.
            cuts.push(match byte {
                _ if is_any_kept => (from - 1, at),
                b',' => (from, at + 1),
                _ => (from, at),
            });
        } else {
            is_any_kept = true;
        }
        from = at + 1;
        match byte {
            b',' => walk.step(),
            b'}' => {
                walk.leave();
                return Ok(());
            }
            _ => return Err(walk.expected("`,` or `}`", at)),
        }
    }
}

/// A list in a record: where it stands, and each of its elements.
struct List {
    from: usize,
    to: usize,
    elements: Vec<(usize, usize)>,
}

/// Finds the list at a path, in the first member of each name; none if it is absent or null.
fn list(walk: &mut Walk<'_>, parts: &[String]) -> Result<Option<List>> {
    let (at, byte) = walk.peek();
    let Some((name, inner)) = parts.split_first() else {
        return match byte {
            b'[' => elements(walk).map(Some),
            b'n' => walk.skip().map(|()| None),
            _ => {
                walk.skip()?;
                Err(Fault::value(format!("expected a list, found {}", kind(byte))))
            }
        };
    };
    if byte != b'{' {
        walk.skip()?;
        return if byte == b'n' {
            Ok(None)
        } else {
            Err(Fault::value(format!(
                "expected an object at byte {at}, found {}",
                kind(byte)
            )))
        };
    }
    walk.enter()?;
    if walk.peek().1 == b'}' {
        walk.leave();
        return Ok(None);
    }
    loop {
        let start = walk.name()?;
        if text::is_name(text::contents(&walk.bytes()[start..]), name) {
            let found = list(walk, inner)?;
            walk.skip_members()?;
            return Ok(found);
        }
        walk.skip()?;
        let (at, byte) = walk.peek();
        match byte {
            b',' => walk.step(),
            b'}' => {
                walk.leave();
                return Ok(None);
            }
            _ => return Err(walk.expected("`,` or `}`", at)),
        }
    }
}

/// The elements of the list that begins here.
fn elements(walk: &mut Walk<'_>) -> Result<List> {
    let from = walk.peek().0;
    let mut elements = Vec::new();
    walk.enter()?;
    let to = loop {
        let (start, byte) = walk.peek();
        if byte == b']' && elements.is_empty() {
            break start;
        }
        walk.skip()?;
        let (end, byte) = walk.peek();
        elements.push((start, start + walk.bytes()[start..end].trim_ascii_end().len()));
        match byte {
            b',' => walk.step(),
            b']' => break end,
            _ => return Err(walk.expected("`,` or `]`", end)),
        }
    };
    walk.leave();
    Ok(List {
        from,
        to: to + 1,
        elements,
    })
}

/// New records under construction: old ones that are kept stay where they are.
struct Rewritten {
    views: Vec<u128>,
    buffers: Vec<Buffer>,
    current: Vec<u8>,
}

impl Rewritten {
    fn new(old: &BinaryViewArray) -> Self {
        Self {
            views: Vec::with_capacity(old.len()),
            buffers: old.data_buffers().to_vec(),
            current: Vec::new(),
        }
    }

    fn keep(&mut self, view: u128) {
        self.views.push(view);
    }

    /// Appends a record of these parts, and a line feed behind it: so the encoder can write many at once.
    fn push<'b>(&mut self, parts: impl Iterator<Item = &'b [u8]>) {
        if self.current.len() > FULL {
            self.close();
        }
        let offset = self.current.len();
        parts.for_each(|part| self.current.extend_from_slice(part));
        let record = &self.current[offset..];
        let number = |place: usize| u32::try_from(place).expect("a buffer is closed before it has 4 GiB");
        let mut start = [0; 16];
        let length = record.len();
        start[..4].copy_from_slice(&number(length).to_le_bytes());
        if let Some(held) = start[4..].get_mut(..length) {
            held.copy_from_slice(record);
        } else {
            start[4..8].copy_from_slice(&record[..4]);
            start[8..12].copy_from_slice(&number(self.buffers.len()).to_le_bytes());
            start[12..].copy_from_slice(&number(offset).to_le_bytes());
        }
        self.views.push(u128::from_le_bytes(start));
        self.current.push(b'\n');
    }

    fn close(&mut self) {
        if !self.current.is_empty() {
            // The last record can be scanned again where it lies.
            self.current.resize(self.current.len() + PADDING, b'\n');
            self.buffers.push(Buffer::from_vec(std::mem::take(&mut self.current)));
        }
    }

    fn finish(mut self, nulls: Option<NullBuffer>) -> BinaryViewArray {
        self.close();
        BinaryViewArray::new(ScalarBuffer::from(self.views), self.buffers, nulls)
    }
}
