//! Server-sent events, taken apart as they come. Pure.

/// A single event is not longer; who sends more sends something else.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name.
    pub(crate) name: String,
    /// What it says.
    pub(crate) data: String,
}

/// Collects bytes until they make events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    bytes: Vec<u8>,
    /// How many of them were looked through.
    seen: usize,
    event: Event,
}

impl Parser {
    /// Takes bytes as they come; the events that they complete.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.bytes.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut start = 0;
        while let Some(end) = self.bytes[self.seen..].iter().position(|byte| *byte == b'\n') {
            let end = self.seen + end;
            let line = String::from_utf8_lossy(&self.bytes[start..end]).into_owned();
            events.extend(self.line(line.trim_end_matches('\r')));
            start = end + 1;
            self.seen = start;
        }
        self.bytes.drain(..start);
        self.seen = self.bytes.len();
        if self.bytes.len() > EVENT_BYTES_MAX {
            self.bytes.clear();
            self.seen = 0;
        }
        events
    }

    /// An empty line ends an event; a comment is only to show that the other end lives.
    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return (!event.data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_their_bytes_are_cut() {
        let text = ": alive\n\nevent: row\ndata: {\"a\":\ndata:  \"ä\"}\n\nevent: end\r\ndata: 1\r\n\r\nid: 7\n\nevent: row\ndata: half";
        let event = |name: &str, data: &str| Event {
            name: name.to_owned(),
            data: data.to_owned(),
        };
        let wanted = [event("row", "{\"a\":\n \"ä\"}"), event("end", "1")];
        for size in [1, 2, 7, 1_000] {
            let mut parser = Parser::default();
            let found: Vec<Event> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|part| parser.take(part))
                .collect();
            assert_eq!(found, wanted, "parts of {size} bytes");
        }
    }
}
